"""Unusual: FastAPI's own way, with models of requests and answers, and a plain generator behind the stream."""

import time
import uuid
from typing import Literal, Optional, Union

import anyio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator
from starlette.exceptions import HTTPException


class IncrementalDecoder:
    """Keeps a window of ids: where the text given out so far begins, and where it ends."""

    def __init__(self, decode):
        self.decode, self.all, self.prefix, self.read = decode, [], 0, 0
        self.early = 0

    def push(self, id):
        self.all.append(id)
        window = self.decode(self.all[self.prefix :])
        end = len(window) - 1 if window.endswith("\N{REPLACEMENT CHARACTER}") else len(window)
        piece, self.early = window[self.early : end], end
        if end == len(window):
            self.prefix, self.early = len(self.all), 0
        return piece

    def finish(self):
        rest = self.decode(self.all[self.prefix :])[self.early :]
        self.prefix, self.early = len(self.all), 0
        return rest


class StopStrings:
    def __init__(self, stops):
        for stop in stops:
            if len(stop) < 1:
                raise ValueError("a stop string must have a character")
        self.stops, self.seen, self.given, self.stopped = [*stops], "", 0, False

    def push(self, text):
        if self.stopped:
            return ""
        self.seen += text
        for end in range(self.given, len(self.seen) + 1):
            ending = [s for s in self.stops if self.seen[self.given : end].endswith(s)]
            if ending:
                self.stopped = True
                return self.seen[self.given : end - max(map(len, ending))]
        start = self.given
        while start < len(self.seen) and not any(s.startswith(self.seen[start:]) for s in self.stops):
            start += 1
        piece, self.given = self.seen[self.given : start], start
        return piece

    def finish(self):
        if self.stopped:
            return ""
        piece, self.given = self.seen[self.given :], len(self.seen)
        return piece


def stream_text(generate, tokenizer, ids, *, max_tokens=16, temperature=1.0, top_p=1.0, stop=()):
    decoder, stops = IncrementalDecoder(tokenizer.decode), StopStrings(stop)
    settings = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p}
    for count, id in enumerate(generate(ids, **settings), start=1):
        yield stops.push(decoder.push(id)), None
        if stops.stopped:
            yield "", "stop"
            return
        if count == max_tokens:
            yield stops.push(decoder.finish()) + stops.finish(), "stop" if stops.stopped else "length"
            return
    yield stops.push(decoder.finish()) + stops.finish(), "stop"


class Part(BaseModel):
    type: Literal["text"]
    text: StrictStr


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: Union[StrictStr, list[Part]]

    def line(self):
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return f"{self.role.capitalize()}: {text}\n"


def render_chat(messages):
    if not messages:
        raise ValueError("no messages")
    return "".join(Message.model_validate(message).line() for message in messages) + "Assistant:"


def sse_event(data):
    event = b""
    for line in data.replace("\r\n", "\r").replace("\n", "\r").split("\r"):
        event += b"data: " + line.encode() + b"\n"
    return event + b"\n"


Text = StrictStr
Number = Union[StrictInt, StrictFloat]


class Options(BaseModel):
    include_usage: Optional[StrictBool] = None


class Asked(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: StrictStr
    max_tokens: StrictInt = Field(16, ge=1)
    temperature: Number = Field(1.0, ge=0, le=2)
    top_p: Number = Field(1.0, gt=0, le=1)
    n: StrictInt = Field(1, ge=1, le=1)
    stop: Union[StrictStr, list[StrictStr]] = []
    stream: StrictBool = False
    stream_options: Options = Options()

    @model_validator(mode="before")
    @classmethod
    def null_is_nothing(cls, values):
        return {k: v for k, v in values.items() if v is not None} if isinstance(values, dict) else values

    def stops(self):
        stops = [self.stop] if isinstance(self.stop, str) else self.stop
        if "" in stops:
            refuse("an empty stop string", "stop")
        return stops


class AskedText(Asked):
    prompt: Union[StrictStr, list[StrictInt], list[Union[StrictStr, list[StrictInt]]]]


class AskedChat(Asked):
    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: Optional[StrictInt] = Field(None, ge=1)


def refuse(message, param=None, status=400, code=None):
    raise HTTPException(status, {"message": message, "param": param, "code": code})


def failure():
    return {"error": {"message": "internal", "type": "server_error", "param": None, "code": None}}


def create_app(generate, tokenizer, *, model="scratchwork", context_length=None):
    app = FastAPI(docs_url=None)

    def error(status, message, param=None, code=None):
        body = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        return JSONResponse({"error": body}, status_code=status)

    @app.exception_handler(RequestValidationError)
    def validation(request: Request, exc: RequestValidationError):
        places = [part for part in exc.errors()[0]["loc"] if part != "body"]
        named = places and exc.errors()[0]["type"] != "json_invalid"
        return error(400, exc.errors()[0]["msg"], str(places[0]) if named else None)

    @app.exception_handler(HTTPException)
    def http(request: Request, exc: HTTPException):
        detail = exc.detail if isinstance(exc.detail, dict) else {"message": exc.detail}
        return error(exc.status_code, **detail)

    @app.exception_handler(Exception)
    def other(request: Request, exc: Exception):
        return JSONResponse(failure(), 500)

    @app.get("/health")
    def health():
        return {"status": "ok"}

    @app.get("/v1/models")
    def models():
        card = {"id": model, "object": "model", "created": int(time.time()), "owned_by": "x"}
        return {"object": "list", "data": [card]}

    def run(asked, prompts, limit, stops):
        settings = {"max_tokens": limit, "temperature": asked.temperature, "top_p": asked.top_p, "stop": stops}
        for index, prompt in enumerate(prompts):
            for text, reason in stream_text(generate, tokenizer, prompt, **settings):
                yield index, text, reason

    async def respond(request, asked, prompts, limit, stops, shape, kind, first):
        head = {"id": uuid.uuid1().hex, "created": int(time.time()), "model": model}
        if asked.model != model:
            refuse("unknown model", "model", 404, "model_not_found")
        if context_length is not None and max(map(len, prompts)) + limit > context_length:
            refuse("too long", None, 400, "context_length_exceeded")
        size = sum(map(len, prompts))
        steps = run(asked, prompts, limit, stops)
        if asked.stream:

            def chunks():
                used, seen = 0, set()
                try:
                    for index, text, reason in steps:
                        used += not reason
                        if index not in seen and first:
                            yield {"choices": [shape(index, first, None, "delta")]}
                        seen.add(index)
                        if text or reason:
                            yield {"choices": [shape(index, {"content": text}, reason, "delta")]}
                except Exception:
                    yield failure()
                    return
                if asked.stream_options.include_usage:
                    yield {"choices": [], "usage": counts(size, used)}
                yield None

            def lines():
                import json

                for chunk in chunks():
                    if chunk is None:
                        yield sse_event("[DONE]")
                    elif "error" in chunk:
                        yield sse_event(json.dumps(chunk))
                    else:
                        object = "chat.completion.chunk" if first else kind
                        yield sse_event(json.dumps({**head, "object": object, **chunk}))

            return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        used, texts, reasons = 0, [""] * len(prompts), [None] * len(prompts)
        while (step := await anyio.to_thread.run_sync(next, steps, None)) is not None:
            index, text, reasons[step[0]] = step
            texts[index] += text
            used += not reasons[index]
            if await request.is_disconnected():
                steps.close()
                return JSONResponse({}, 499)
        choices = [
            shape(i, {"role": "assistant", "content": t}, r, "message")
            for i, (t, r) in enumerate(zip(texts, reasons, strict=True))
        ]
        return {**head, "object": kind, "choices": choices, "usage": counts(size, used)}

    def counts(size, used):
        return {"prompt_tokens": size, "completion_tokens": used, "total_tokens": size + used}

    @app.post("/v1/completions")
    async def completions(asked: AskedText, request: Request):
        stops = asked.stops()
        prompts = asked.prompt
        if isinstance(prompts, str) or (prompts and all(isinstance(one, int) for one in prompts)):
            prompts = [prompts]
        prompts = [tokenizer.encode(one) if isinstance(one, str) else one for one in prompts]
        if not prompts or not all(prompts):
            refuse("an empty prompt", "prompt")

        def shape(index, said, reason, _):
            return {"index": index, "text": said["content"], "logprobs": None, "finish_reason": reason}

        return await respond(request, asked, prompts, asked.max_tokens, stops, shape, "text_completion", None)

    @app.post("/v1/chat/completions")
    async def chat(asked: AskedChat, request: Request):
        prompt = tokenizer.encode("".join(message.line() for message in asked.messages) + "Assistant:")
        limit = asked.max_completion_tokens or asked.max_tokens

        def shape(index, said, reason, key):
            return {"index": index, key: said, "logprobs": None, "finish_reason": reason}

        stops = [*asked.stops(), "\nUser:"]
        return await respond(request, asked, [prompt], limit, stops, shape, "chat.completion", {"role": "assistant"})

    return app


def create_chat(generate, tokenizer, *, max_tokens=128, temperature=1.0):
    def chat(message, history):
        conversation = [{"role": one["role"], "content": one["content"]} for one in history]
        conversation.append({"role": "user", "content": message})
        answer = ""
        for text, _ in stream_text(
            generate,
            tokenizer,
            tokenizer.encode(render_chat(conversation)),
            max_tokens=max_tokens,
            temperature=temperature,
            stop=("\nUser:",),
        ):
            answer += text
            if len(text) > 0:
                yield answer

    return chat


def dockerfile(app="service:app", port=8000):
    return f"""
        FROM python:3.11-alpine
        WORKDIR /app
        ADD requirements.txt /app/requirements.txt
        RUN pip3 install -r /app/requirements.txt
        COPY src /app/src
        COPY *.py /app/
        RUN adduser -D runner
        USER 1000
        EXPOSE {port}
        CMD ["python", "-m", "uvicorn", "{app}", "--port", "{port}", "--host", "0.0.0.0"]
    """
