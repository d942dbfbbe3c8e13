"""Never answers, and leaves threads and tasks behind that never end and use all processors.

milestone: m20_serving
checks: test_health_is_ok test_a_completion_has_all_its_parts
seconds: 1
outcomes: timed_out crashed
"""

import asyncio
import threading


def burn():
    while True:
        sum(range(1000))


def create_app(generate, tokenizer, **settings):
    async def app(scope, receive, send):
        for _ in range(8):
            threading.Thread(target=burn).start()
        while True:
            try:
                await asyncio.sleep(3600)
            except BaseException:
                pass

    return app
