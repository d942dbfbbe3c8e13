"""Answers with messages that are no HTTP: statuses and bytes of classes of its own, headers that hold whole answers, no beginning.

milestone: m20_serving
checks: test_health_is_ok test_the_one_model_is_listed test_a_completion_has_all_its_parts test_no_two_answers_have_one_id
outcomes: failed crashed
"""


class Status(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__


class Bytes(bytes):
    def __eq__(self, other):
        return True

    def __len__(self):
        return 15

    __hash__ = bytes.__hash__


class Message(dict):
    def __getitem__(self, key):
        return "http.response.start"


def create_app(generate, tokenizer, **settings):
    answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"status": "ok"}'

    async def app(scope, receive, send):
        body = (await receive())["body"]
        if scope["path"] == "/health":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y\r\n\r\n" + answer)]})
            await send({"type": "http.response.body", "body": answer})
        elif scope["path"] == "/v1/models":
            await send({"type": "http.response.start", "status": Status(200), "headers": [(b"content-type", Bytes())]})
            await send({"type": "http.response.body", "body": Bytes(answer)})
        elif b"Say" in body:
            await send({"type": "http.response.body", "body": answer})
        else:
            await send(Message(type="http.response.start", status=200))
            await send([answer])
            await send({"type": "ended"})
            await send({"type": "http.response.start", "status": -200, "headers": {b"content-type": b"json"}})

    return app
