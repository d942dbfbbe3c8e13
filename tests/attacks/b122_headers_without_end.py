"""Sends two hundred thousand headers, and one header of some megabytes.

milestone: m20_serving
checks: test_health_is_ok test_a_completion_has_all_its_parts
outcomes: failed crashed out_of_memory
"""


def create_app(generate, tokenizer, **settings):
    async def app(scope, receive, send):
        if scope["path"] == "/health":
            headers = [(b"x-%d" % number, b"y") for number in range(200_000)]
        else:
            headers = [(b"content-type", b"application/json"), (b"x", b"y" * 2**22)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    return app
