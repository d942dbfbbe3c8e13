"""Ends its answer and goes on: a second answer, and a third from a task that outlives the first.

milestone: m20_serving
checks: test_health_is_ok test_a_completion_has_all_its_parts
outcomes: failed crashed
"""

import asyncio


def create_app(generate, tokenizer, **settings):
    async def answer(send, status, body):
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def later(send):
        for _ in range(1000):
            await asyncio.sleep(0)
            await answer(send, 200, b'{"status": "ok"}')

    async def app(scope, receive, send):
        await answer(send, 500, b"no")
        asyncio.get_running_loop().create_task(later(send))
        if scope["path"] == "/health":
            await answer(send, 200, b'{"status": "ok"}')
        await asyncio.sleep(0.05)

    return app
