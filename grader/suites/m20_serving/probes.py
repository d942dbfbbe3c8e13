"""What the checks of m20_serving need in the worker: a vocabulary, a model that waits, and clients that speak ASGI."""

import asyncio
import threading
from typing import Any

FAILS, WAIT = -1, -2  # in place of a token: generate raises; the judge wants something to happen before
REST = 0.25  # seconds without a token, after which none is expected any more: many times what any takes here
SECRET = "the password is hunter2"  # what it raises says


class Vocabulary:
    """A tokenizer whose tokens are these bytes; encode takes the longest that fits."""

    def __init__(self, tokens):
        self.tokens, self.ids = tokens, {token: id for id, token in enumerate(tokens)}
        self.longest = max(map(len, tokens))

    def encode(self, text):
        """Return the ids of a text."""
        data, at, found = text.encode(), 0, []
        while at < len(data):
            size = next(size for size in range(self.longest, 0, -1) if data[at : at + size] in self.ids)
            found.append(self.ids[data[at : at + size]])
            at += len(data[at : at + size])
        return found

    def decode(self, ids):
        """Return their text; what is no UTF-8 becomes U+FFFD."""
        return b"".join(self.tokens[id] for id in ids).decode("utf-8", "replace")


def vocabulary(tokens):
    """Return such a tokenizer."""
    return Vocabulary(tokens)


class Stage:
    """A model whose tokens the judge gives, perhaps one by one, and the clients of a service that it stands behind.

    `asked(ids, max_tokens, temperature, top_p)` is told of each call, and gives it a number and its tokens; or None in
    place of them, and then `give(number, position, at_once)` is asked for each. It answers with orders and the token:
    None at the end, FAILS, or WAIT. Then the next order to open is waited for, as long as patience lasts, and the token
    is asked for at once. `sent(client, message)` is told of all that the service sends, and answers with orders.
    """

    def __init__(self, asked, give, sent, patience):
        self.asked, self.give, self.sent, self.patience = asked, give, sent, patience
        self.turn, self.open, self.tired = threading.Condition(), {}, False
        self.loop: Any = None  # as soon as the clients talk
        self.clients, self.tasks = {}, set()
        self.reading, self.given = 0, 0  # how many generations are not over, and how many tokens all of them gave

    def generate(self, ids, *, max_tokens, temperature, top_p):
        """Be the model."""
        number, tokens = self.asked(list(ids), max_tokens, temperature, top_p)
        return self.tokens(number, tokens)

    def tokens(self, number, tokens):
        """Yield the tokens of one call."""
        self.reading += 1
        try:
            position = 0
            while (id := self.token(number, position, tokens)) is not None:
                if id == FAILS:
                    raise RuntimeError(SECRET)
                position += 1
                self.given += 1
                yield id
        finally:
            self.reading -= 1

    def token(self, number, position, tokens):
        """Return the next token of one call, None at its end."""
        if tokens is not None:
            return tokens[position] if position < len(tokens) else None
        orders, id = self.give(number, position, self.tired)
        self.obey(orders)
        if id == WAIT:
            with self.turn:
                free = self.turn.wait_for(lambda: self.tired or position < self.open.get(number, 0), self.patience)
            self.tired = self.tired or not free
            orders, id = self.give(number, position, True)
            self.obey(orders)
        return id

    def obey(self, orders):
        """Do what the judge wants: let tokens come, start a client, or have one leave; in whatever thread."""
        for order, *rest in orders or ():
            if order == "open":
                with self.turn:
                    self.open[rest[0]] = rest[1]
                    self.turn.notify_all()
            elif order == "pause":
                threading.Event().wait(rest[0])
            elif order == "start":
                self.loop.call_soon_threadsafe(self.start, rest[0])
            elif order == "leave":
                self.loop.call_soon_threadsafe(self.clients[rest[0]].gone.set)

    def start(self, number):
        """Have a client send its request, once."""
        if not self.clients[number].talks:
            self.clients[number].talks = True
            self.tasks.add(self.loop.create_task(self.clients[number].talk()))

    async def converse(self, app, requests, at_once):
        """Send requests, those that are not sent at once when the judge says so, and wait for the end of all."""
        self.loop = asyncio.get_running_loop()
        self.clients = {number: Client(self, app, number, request) for number, request in enumerate(requests)}
        for number in range(at_once):
            self.start(number)
        while self.tasks:
            done, _ = await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
            self.tasks -= done
            for task in done:
                task.result()
        # Whatever goes on reading the model after the last client has gone is watched until it ends, or comes to rest.
        before = -1
        while self.reading and self.given != before:
            before = self.given
            await asyncio.sleep(REST)


class Client:
    """Somebody with one request."""

    def __init__(self, stage, app, number, request):
        self.stage, self.app, self.number = stage, app, number
        self.method, self.path, self.pieces = request["method"], request["path"], list(request["pieces"])
        self.headers = request["headers"]
        self.status: Any = 0
        self.gone, self.talks, self.complete = asyncio.Event(), False, False

    async def talk(self):
        """Send the request, as uvicorn hands it on, and take what comes."""
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": self.method, "scheme": "http", "path": self.path, "raw_path": self.path.encode(),
            "query_string": b"", "root_path": "", "headers": [tuple(pair) for pair in self.headers],
            "client": ("127.0.0.1", 50000 + self.number), "server": ("127.0.0.1", 8000), "state": {},
        }  # fmt: skip
        try:
            await self.app(scope, self.receive, self.send)
        except Exception as error:
            # Frameworks raise again what they have answered with a 500, for the log; the judge's own is no news.
            answered = self.complete and (self.status < 500 or str(error) == SECRET)
            if not (answered or self.gone.is_set()) or isinstance(error, NotImplementedError):
                raise
        if not self.gone.is_set():
            self.stage.obey(self.stage.sent(self.number, {"type": "ended"}))

    async def receive(self):
        """Return the next piece of the body and, after the last one, wait until the client leaves."""
        if self.pieces:
            body = self.pieces.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self.pieces)}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        """Take a message, and show it to the judge; to a client that has left nothing can be sent."""
        if self.gone.is_set():
            return
        if isinstance(message, dict) and isinstance(message.get("body"), bytearray | memoryview):
            message = {**message, "body": bytes(message["body"])}
        if isinstance(message, dict) and message.get("type") == "http.response.start":
            self.status = message.get("status")
        elif isinstance(message, dict):
            self.complete = not message.get("more_body", False)
        self.stage.obey(self.stage.sent(self.number, message))
        await asyncio.sleep(0)


def stage(asked, give, sent, patience):
    """Return a stage."""
    return Stage(asked, give, sent, patience)


def converse(stage, app, requests, at_once):
    """Have clients talk with a service."""
    asyncio.run(stage.converse(app, requests, at_once))


def keeping(function, message, history):
    """Return all that a generator function yields for a message, and the history afterwards."""
    return list(function(message, history)), history
