"""Sends one piece after the other to its client, as fast as it can and without an end.

milestone: m20_serving
checks: test_health_is_ok test_a_completion_has_all_its_parts
seconds: 5
outcomes: failed timed_out crashed
"""


def create_app(generate, tokenizer, **settings):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        piece = b'{"status": "ok"}' * (1 if scope["path"] == "/health" else 100_000)
        while True:
            await send({"type": "http.response.body", "body": piece, "more_body": True})

    return app
