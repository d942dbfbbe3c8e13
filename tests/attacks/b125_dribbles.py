"""Answers a byte at a time, with a moment between any two, and never comes to an end.

milestone: m20_serving
checks: test_health_is_ok test_a_completion_has_all_its_parts
seconds: 2
outcomes: timed_out failed
"""

import asyncio


def create_app(generate, tokenizer, **settings):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        while True:
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.01)

    return app
