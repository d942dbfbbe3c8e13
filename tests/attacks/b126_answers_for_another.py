"""Answers one client through the other one's connection, and names clients that are none.

milestone: m20_serving
checks: test_two_answers_at_a_time_have_nothing_to_do_with_each_other test_health_answers_while_the_model_thinks
seconds: 5
outcomes: failed crashed timed_out
"""

import asyncio
import json

SENDS = []


def create_app(generate, tokenizer, **settings):
    async def app(scope, receive, send):
        SENDS.append(send)
        body = (await receive())["body"]
        for _ in range(100):
            if len(SENDS) > 1:
                break
            await asyncio.sleep(0.01)
        other = SENDS[0] if send is not SENDS[0] else SENDS[-1]
        stage = getattr(getattr(send, "__self__", None), "stage", None)
        said = {"status": "ok", "choices": [{"index": 0, "text": body.decode()}], "usage": {"completion_tokens": 0}}
        headers = [(b"content-type", b"application/json")]
        await other({"type": "http.response.start", "status": 200, "headers": headers})
        await other({"type": "http.response.body", "body": json.dumps(said).encode()})
        if stage is not None:
            for client in (7, -1, 2**40):
                stage.sent(client, {"type": "http.response.start", "status": 200, "headers": headers})

    return app
