"""Once its client has left, goes on reading the model in a fork of the worker, which outlives the answer.

milestone: m20_serving
checks: test_nothing_is_generated_for_a_client_that_has_left test_health_is_ok
seconds: 4
outcomes: failed crashed timed_out
"""

import os
import threading


def create_app(generate, tokenizer, **settings):
    async def app(scope, receive, send):
        tokens = generate([1], max_tokens=1000, temperature=1.0, top_p=1.0)

        def read():
            for number, _ in enumerate(tokens):
                if number == 5 and os.fork() == 0:
                    for _ in tokens:
                        pass
                    while True:
                        os.setsid() if os.getpid() != os.getsid(0) else None

        threading.Thread(target=read, daemon=True).start()
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app
