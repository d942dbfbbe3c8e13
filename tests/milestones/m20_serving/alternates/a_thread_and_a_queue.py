"""Unusual: Starlette without FastAPI, a thread for each generation, which a flag ends, and coroutines as state."""

import asyncio
import json
import queue
import threading
import time
from itertools import count

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


def _decoding(decode):
    ids, shown, piece = [], 0, None
    while True:
        id = yield piece
        if id is None:
            yield decode(ids)[shown:] if ids else ""
            ids, shown, piece = [], 0, None
            continue
        ids.append(id)
        text = decode(ids)
        sure = text[:-1] if text.endswith("\ufffd") else text
        piece, shown = sure[shown:], len(sure)
        if sure == text:
            ids, shown = [], 0


class IncrementalDecoder:
    def __init__(self, decode):
        self._state = _decoding(decode)
        next(self._state)

    def push(self, id):
        return self._state.send(id)

    def finish(self):
        rest = self._state.send(None)
        next(self._state)
        return rest


class StopStrings:
    """Keeps for each stop string all places at which it may have begun."""

    def __init__(self, stops):
        self.stops = list(dict.fromkeys(stops))
        if any(stop == "" for stop in self.stops):
            raise ValueError("stop strings have characters")
        self._open = {stop: [] for stop in self.stops}
        self._text, self._at = "", 0
        self.stopped = False

    def push(self, text):
        out = ""
        for letter in text:
            if self.stopped:
                return out
            self._text += letter
            place = self._at + len(self._text) - 1
            done = []
            for stop, starts in self._open.items():
                starts.append(place)
                starts[:] = [start for start in starts if stop[place - start] == letter]
                if starts and place - starts[0] + 1 == len(stop):
                    done.append(starts.pop(0))
            if done:
                self.stopped = True
                out += self._text[: min(done) - self._at]
                self._text = ""
                return out
            first = min((starts[0] for starts in self._open.values() if starts), default=place + 1)
            out += self._text[: first - self._at]
            self._text, self._at = self._text[first - self._at :], first
        return out

    def finish(self):
        rest, self._text = self._text, ""
        return rest


def stream_text(generate, tokenizer, ids, *, max_tokens=16, temperature=1.0, top_p=1.0, stop=()):
    decoder, stops, tokens = IncrementalDecoder(tokenizer.decode), StopStrings(stop), 0
    source = iter(generate(ids, max_tokens=max_tokens, temperature=temperature, top_p=top_p))
    for id in source:
        tokens += 1
        yield (stops.push(decoder.push(id)), None)
        if stops.stopped:
            break
    last = "".join([stops.push(decoder.finish()), stops.finish()])
    yield (last, "stop" if stops.stopped or tokens != max_tokens else "length")


def render_chat(messages):
    if not messages:
        raise ValueError("an empty conversation")
    lines = []
    for message in messages:
        match message:
            case {"role": "system" | "user" | "assistant" as role, "content": str(text)}:
                pass
            case {"role": "system" | "user" | "assistant" as role, "content": list(parts)}:
                text = ""
                for part in parts:
                    match part:
                        case {"type": "text", "text": str(more)}:
                            text += more
                        case _:
                            raise ValueError("a part that is no text")
            case _:
                raise ValueError("a message that is none")
        lines.append(role.title() + ": " + text)
    lines.append("Assistant:")
    return "\n".join(lines)


def sse_event(data):
    out, previous = ["data: "], ""
    for letter in data:
        if letter == "\n" and previous == "\r":
            pass
        elif letter in "\r\n":
            out.append("\ndata: ")
        else:
            out.append(letter)
        previous = letter
    return "".join([*out, "\n\n"]).encode("utf8")


class _Refusal(HTTPException):
    def __init__(self, status, message, param=None, code=None):
        super().__init__(status, message)
        self.param, self.code = param, code


async def _on_error(request, error):
    body = {"message": str(error.detail), "type": "invalid_request_error", "param": None, "code": None}
    if isinstance(error, _Refusal):
        body.update(param=error.param, code=error.code)
    return JSONResponse({"error": body}, error.status_code)


class _Generation:
    """A thread that reads the model, and puts what comes into a queue, until somebody says that it is enough."""

    def __init__(self, steps):
        self.out, self.enough = queue.SimpleQueue(), threading.Event()
        self.loop, self.news = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(target=self.work, args=(steps,), daemon=True).start()

    def work(self, steps):
        try:
            for step in steps:
                self.put(step)
                if self.enough.is_set():
                    return
            self.put(None)
        except Exception as error:
            self.put(error)

    def put(self, step):
        self.out.put(step)
        try:
            self.loop.call_soon_threadsafe(self.news.set)
        except RuntimeError:  # the loop is gone, and everybody with it
            self.enough.set()

    async def steps(self):
        try:
            while True:
                await self.news.wait()
                self.news.clear()
                while not self.out.empty():
                    step = self.out.get()
                    if step is None:
                        return
                    if isinstance(step, Exception):
                        raise step
                    yield step
        finally:
            self.enough.set()


def _check(values, name, kinds, fine, default):
    value = values.get(name)
    if value is None:
        return default
    if type(value) not in kinds or not fine(value):
        raise _Refusal(400, f"{name}: {value!r}", name)
    return value


def create_app(generate, tokenizer, *, model="scratchwork", context_length=None):
    numbers = count(1)
    born = int(time.time())

    async def health(request):
        return JSONResponse({"status": "ok"})

    async def models(request):
        entry = {"id": model, "object": "model", "created": born, "owned_by": "nobody", "permission": []}
        return JSONResponse({"object": "list", "data": [entry]})

    async def complete(request):
        chat = request.url.path.endswith("chat/completions")
        try:
            values = json.loads((await request.body()).decode())
            assert isinstance(values, dict)
        except (ValueError, AssertionError, RecursionError):
            raise _Refusal(400, "this is no JSON object") from None
        if _check(values, "model", [str], lambda v: True, None) is None:
            raise _Refusal(400, "which model?", "model")
        if values["model"] != model:
            raise _Refusal(404, "unknown model", "model", "model_not_found")
        newer = values.get("max_completion_tokens") is not None and chat
        limit = _check(values, "max_completion_tokens" if newer else "max_tokens", [int], lambda v: v > 0, 16)
        temperature = _check(values, "temperature", [int, float], lambda v: 0 <= v <= 2, 1)
        top_p = _check(values, "top_p", [int, float], lambda v: 0 < v <= 1, 1)
        _check(values, "n", [int], lambda v: v == 1, 1)
        stop = _check(values, "stop", [str, list], lambda v: v != "" and all(type(s) is str and s for s in v), [])
        stops = [stop] if isinstance(stop, str) else stop
        stream = _check(values, "stream", [bool], lambda v: True, False)
        options = _check(values, "stream_options", [dict], lambda v: True, {})
        if chat:
            try:
                prompts = [tokenizer.encode(render_chat(values.get("messages")))]
            except (ValueError, TypeError):
                raise _Refusal(400, "messages?", "messages") from None
            stops = [*stops, "\nUser:"]
        else:
            prompts = values.get("prompt")
            if isinstance(prompts, str) or (isinstance(prompts, list) and prompts and type(prompts[0]) is int):
                prompts = [prompts]
            if not isinstance(prompts, list) or not prompts:
                raise _Refusal(400, "prompt?", "prompt")
            prompts = [tokenizer.encode(one) if isinstance(one, str) else one for one in prompts]
            for one in prompts:
                if not isinstance(one, list) or not one or any(type(id) is not int for id in one):
                    raise _Refusal(400, "prompt?", "prompt")
        if context_length and any(len(one) + limit > context_length for one in prompts):
            raise _Refusal(400, "too many tokens", None, "context_length_exceeded")

        spent = 0
        kind = "text_completion" if not chat else "chat.completion.chunk" if stream else "chat.completion"
        answer = {"id": f"{born}-{next(numbers)}", "object": kind, "created": int(time.time()), "model": model}

        def work():
            for number, ids in enumerate(prompts):
                pairs = stream_text(
                    generate, tokenizer, ids, max_tokens=limit, temperature=temperature, top_p=top_p, stop=stops
                )
                for text, reason in pairs:
                    yield number, text, reason

        def usage():
            before = sum(len(ids) for ids in prompts)
            return {"prompt_tokens": before, "completion_tokens": spent, "total_tokens": before + spent}

        def choice(number, reason, text, **more):
            said = {"text": text} if not chat else {"delta" if stream else "message": {"content": text, **more}}
            return {"index": number, "finish_reason": reason, "logprobs": None, **said}

        broken = {"error": {"message": "it broke", "type": "server_error", "param": None, "code": None}}

        async def events():
            nonlocal spent
            begun = set()
            try:
                async for number, text, reason in _Generation(work()).steps():
                    spent += reason is None
                    if text or reason or number not in begun:
                        more = {"role": "assistant"} if chat and number not in begun else {}
                        begun.add(number)
                        yield sse_event(json.dumps({**answer, "choices": [choice(number, reason, text, **more)]}))
            except Exception:
                yield sse_event(json.dumps(broken))
                return
            if options.get("include_usage"):
                yield sse_event(json.dumps({**answer, "choices": [], "usage": usage()}))
            yield sse_event("[DONE]")

        if stream:
            return StreamingResponse(events(), headers={"Content-Type": "text/event-stream"})
        texts, reasons = {}, {}
        watching = asyncio.create_task(_left(request))
        steps = _Generation(work()).steps()
        try:
            async for number, text, reason in steps:
                spent += reason is None
                texts[number] = texts.get(number, "") + text
                reasons[number] = reason
                if watching.done():
                    return Response(status_code=204)
        except Exception:
            return JSONResponse(broken, 500)
        finally:
            await steps.aclose()
            watching.cancel()
        choices = [choice(n, reasons[n], texts[n], **({"role": "assistant"} if chat else {})) for n in texts]
        return JSONResponse({**answer, "choices": choices, "usage": usage()})

    routes = [
        Route("/health", health),
        Route("/v1/models", models),
        Route("/v1/completions", complete, methods=["POST"]),
        Route("/v1/chat/completions", complete, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _on_error})


async def _left(request):
    while not await request.is_disconnected():
        await asyncio.sleep(0.005)


def create_chat(generate, tokenizer, *, max_tokens=128, temperature=1.0):
    class Chat:
        def __call__(self, message, history):
            talk = [dict(one) for one in history]
            talk += [{"role": "user", "content": message}]
            ids = tokenizer.encode(render_chat(talk))
            said = []
            for text, _ in stream_text(
                generate, tokenizer, ids, max_tokens=max_tokens, temperature=temperature, stop=["\nUser:"]
            ):
                if text:
                    said.append(text)
                    yield "".join(said)

    return Chat()


def dockerfile(app="service:app", port=8000):
    return (
        "FROM python:3.12 AS build\nWORKDIR /w\nCOPY . .\nRUN echo built\n\n"
        "FROM --platform=linux/amd64 python:3.12-slim\n"
        "WORKDIR /w\n"
        "COPY --from=build /w/requirements.txt ./\n"
        "# the layer that seldom changes\n"
        "RUN pip install --no-cache-dir -r requirements.txt\n"
        "COPY --from=build /w/src ./src\n"
        "COPY service.py chat.py ./\n"
        "RUN useradd web\n"
        "USER web\n"
        f"EXPOSE {port} 9999\n"
        f'CMD [ "uvicorn", "{app}", "--host", "0.0.0.0", "--port", "{port}", "--workers", "1" ]\n'
    )
