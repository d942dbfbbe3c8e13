"""Unusual: no framework at all, an ASGI app as a class; text is searched for stop strings one character at a time."""

import asyncio
import json
import random
import time


class IncrementalDecoder:
    def __init__(self, decode):
        self.decode = decode
        self.ids = []
        self.out = ""

    def push(self, id):
        self.ids = [*self.ids, id]
        now = self.decode(self.ids)
        safe = now[:-1] if now[-1:] == "\ufffd" else now
        new = safe[len(self.out) :]
        if safe == now:
            self.ids, self.out = [], ""
        else:
            self.out = safe
        return new

    def finish(self):
        if not self.ids:
            return ""
        rest = self.decode(self.ids)[len(self.out) :]
        self.ids, self.out = [], ""
        return rest


class StopStrings:
    """Goes through the text one character at a time."""

    def __init__(self, stops):
        self.stops = tuple(sorted(stops, key=len, reverse=True))
        if "" in self.stops:
            raise ValueError("empty stop string")
        self.buffer = ""
        self.stopped = False

    def push(self, text):
        out = []
        for character in text:
            if self.stopped:
                break
            self.buffer += character
            for stop in self.stops:
                if self.buffer.endswith(stop):
                    out.append(self.buffer[: len(self.buffer) - len(stop)])
                    self.buffer = ""
                    self.stopped = True
                    break
            while not self.stopped and self.buffer and not any(s.startswith(self.buffer) for s in self.stops):
                out.append(self.buffer[0])
                self.buffer = self.buffer[1:]
        return "".join(out)

    def finish(self):
        rest = self.buffer
        self.buffer = ""
        return rest


def stream_text(generate, tokenizer, ids, *, max_tokens=16, temperature=1.0, top_p=1.0, stop=()):
    d, s = IncrementalDecoder(tokenizer.decode), StopStrings(stop)
    n = 0
    it = generate(ids, max_tokens=max_tokens, temperature=temperature, top_p=top_p)
    while not s.stopped:
        try:
            id = next(it)
        except StopIteration:
            break
        n = n + 1
        yield (s.push(d.push(id)), None)
    if s.stopped:
        yield ("", "stop")
        return
    tail = s.push(d.finish())
    tail = tail + s.finish()
    if s.stopped or n < max_tokens:
        yield (tail, "stop")
    else:
        yield (tail, "length")


def render_chat(messages):
    if len(messages) == 0:
        raise ValueError("nothing was said")
    text = ""
    for m in messages:
        who = {"system": "System", "user": "User", "assistant": "Assistant"}.get(m.get("role", None))
        if who is None:
            raise ValueError("who is that?")
        what = m.get("content")
        if isinstance(what, list):
            if not all(
                isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str) for p in what
            ):
                raise ValueError("text alone")
            what = "".join(p["text"] for p in what)
        if not isinstance(what, str):
            raise ValueError("what?")
        text += who + ": " + what + "\n"
    return text + "Assistant:"


def sse_event(data):
    data = data.replace("\r\n", "\n").replace("\r", "\n")
    return b"data:" + (" " + data.replace("\n", "\ndata: ")).encode("utf-8") + b"\n\n"


class Bad(Exception):
    pass


class App:
    def __init__(self, generate, tokenizer, model, context_length):
        self.generate, self.tokenizer, self.model, self.context_length = generate, tokenizer, model, context_length
        self.routes = {
            "/health": ("GET", self.health),
            "/v1/models": ("GET", self.models),
            "/v1/completions": ("POST", self.completions),
            "/v1/chat/completions": ("POST", self.chat),
        }

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        try:
            if scope["path"] not in self.routes:
                raise Bad(404, "no such path", None, None)
            method, handler = self.routes[scope["path"]]
            if scope["method"] != method:
                raise Bad(405, "no such method", None, None)
            body = b""
            while True:
                message = await receive()
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
            await handler(body, receive, send)
        except Bad as bad:
            status, message, param, code = bad.args
            await self.error(send, status, message, "invalid_request_error", param, code)

    async def json(self, send, value, status=200):
        data = json.dumps(value).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    async def error(self, send, status, message, type, param=None, code=None):
        await self.json(send, {"error": dict(message=message, type=type, param=param, code=code)}, status)

    async def health(self, body, receive, send):
        await self.json(send, {"status": "ok"})

    async def models(self, body, receive, send):
        one = {"id": self.model, "object": "model", "created": int(time.time()), "owned_by": "me"}
        await self.json(send, {"object": "list", "data": [one]})

    def read(self, body):
        try:
            values = json.loads(body)
        except Exception:
            raise Bad(400, "not JSON", None, None) from None
        if type(values) is not dict:
            raise Bad(400, "not an object", None, None)
        values = {k: v for k, v in values.items() if v is not None}
        if type(values.get("model")) is not str:
            raise Bad(400, "model?", "model", None)
        if values["model"] != self.model:
            raise Bad(404, "no such model", "model", "model_not_found")
        number = (int, float)
        rules = {
            "max_tokens": lambda v: type(v) is int and v >= 1,
            "max_completion_tokens": lambda v: type(v) is int and v >= 1,
            "temperature": lambda v: type(v) in number and 0 <= v <= 2,
            "top_p": lambda v: type(v) in number and 0 < v <= 1,
            "n": lambda v: type(v) is int and v == 1,
            "stop": lambda v: v != "" and type(v) in (str, list) and all(type(s) is str and s for s in v),
            "stream": lambda v: type(v) is bool,
            "stream_options": lambda v: type(v) is dict,
        }
        for name, rule in rules.items():
            if name in values and not rule(values[name]):
                raise Bad(400, name + " is wrong", name, None)
        stop = values.get("stop", [])
        values["stop"] = [stop] if type(stop) is str else stop
        return values

    def ids(self, prompt):
        if type(prompt) is str:
            prompt = self.tokenizer.encode(prompt)
        if type(prompt) is not list or len(prompt) == 0 or {type(i) for i in prompt} != {int}:
            raise Bad(400, "prompt?", "prompt", None)
        return prompt

    async def completions(self, body, receive, send):
        values = self.read(body)
        prompt = values.get("prompt")
        if type(prompt) is list and prompt and type(prompt[0]) in (str, list):
            prompts = [self.ids(one) for one in prompt]
        else:
            prompts = [self.ids(prompt)]
        await self.answer(values, prompts, False, values.get("max_tokens", 16), receive, send)

    async def chat(self, body, receive, send):
        values = self.read(body)
        try:
            prompt = render_chat(values["messages"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Bad(400, "messages?", "messages", None) from None
        values["stop"] = values["stop"] + ["\nUser:"]
        limit = values.get("max_completion_tokens", values.get("max_tokens", 16))
        await self.answer(values, [self.tokenizer.encode(prompt)], True, limit, receive, send)

    async def answer(self, values, prompts, chat, limit, receive, send):
        if self.context_length is not None and any(len(p) + limit > self.context_length for p in prompts):
            raise Bad(400, "too long", None, "context_length_exceeded")
        stream = values.get("stream", False)
        kind = ("chat.completion.chunk" if stream else "chat.completion") if chat else "text_completion"
        head = {"id": str(random.getrandbits(128)), "object": kind, "created": int(time.time()), "model": self.model}
        gone = asyncio.ensure_future(receive())
        used, choices = 0, []

        async def event(data):
            await send({"type": "http.response.body", "body": sse_event(data), "more_body": True})

        async def chunk(index, reason=None, **content):
            content = {"delta": content} if chat else {"text": content.get("content", "")}
            one = {"index": index, "finish_reason": reason, "logprobs": None, **content}
            await event(json.dumps({**head, "choices": [one]}))

        if stream:
            headers = [(b"Content-Type", b"text/event-stream; charset=utf-8")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            for index, prompt in enumerate(prompts):
                text, reason = "", None
                if stream and chat:
                    await chunk(index, role="assistant")
                it = stream_text(
                    self.generate,
                    self.tokenizer,
                    prompt,
                    max_tokens=limit,
                    temperature=values.get("temperature", 1.0),
                    top_p=values.get("top_p", 1.0),
                    stop=values["stop"],
                )
                while reason is None:
                    piece, reason = await asyncio.get_running_loop().run_in_executor(None, next, it)
                    used += reason is None
                    text += piece
                    if gone.done():
                        return
                    if stream and piece:
                        await chunk(index, content=piece)
                if stream:
                    await chunk(index, reason)
                said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
                choices.append({"index": index, **said, "logprobs": None, "finish_reason": reason})
        except RuntimeError:
            failed = {"message": "failed", "type": "server_error", "param": None, "code": None}
            if not stream:
                return await self.json(send, {"error": failed}, 500)
            await event(json.dumps({"error": failed}))
            return await send({"type": "http.response.body"})
        finally:
            gone.cancel()
        before = sum(len(p) for p in prompts)
        usage = {"prompt_tokens": before, "completion_tokens": used, "total_tokens": before + used}
        if not stream:
            return await self.json(send, {**head, "choices": choices, "usage": usage})
        if values.get("stream_options", {}).get("include_usage"):
            await event(json.dumps({**head, "choices": [], "usage": usage}))
        await event("[DONE]")
        await send({"type": "http.response.body"})


def create_app(generate, tokenizer, *, model="scratchwork", context_length=None):
    return App(generate, tokenizer, model, context_length)


def create_chat(generate, tokenizer, *, max_tokens=128, temperature=1.0):
    def chat(message, history):
        prompt = tokenizer.encode(render_chat([*history, dict(role="user", content=message)]))
        settings = dict(max_tokens=max_tokens, temperature=temperature, stop=["\nUser:"])
        pairs = stream_text(generate, tokenizer, prompt, **settings)
        text = ""
        for piece, _ in pairs:
            if piece != "":
                text = text + piece
                yield text

    return chat


def dockerfile(app="service:app", port=8000):
    return "\n".join(
        [
            "# syntax=docker/dockerfile:1",
            "FROM docker.io/library/python:3.12.7-slim-bookworm AS base",
            "ENV PYTHONUNBUFFERED=1",
            "RUN groupadd app && \\",
            "    useradd -g app app",
            "WORKDIR /srv",
            'COPY ["requirements.txt", "./"]',
            "RUN python -m pip install \\",
            "    --no-cache-dir \\",
            "    --requirement requirements.txt",
            "COPY --chown=app:app . /srv",
            "USER app:app",
            f"EXPOSE {port}/tcp",
            'ENTRYPOINT ["uvicorn"]',
            f'CMD ["{app}", "--host=0.0.0.0", "--port={port}"]',
        ]
    )
