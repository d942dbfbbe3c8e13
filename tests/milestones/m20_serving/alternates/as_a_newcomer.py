"""Unusual: step by step from stub and guide, everything within create_app, and FastAPI's own class for streams."""

import asyncio
import json
import secrets
from datetime import datetime, timezone

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse
from starlette.exceptions import HTTPException as StarletteHTTPException


class IncrementalDecoder:
    def __init__(self, decode):
        self.decode = decode
        self.open_ids = []
        self.shown = ""

    def push(self, id):
        self.open_ids.append(id)
        text = self.decode(list(self.open_ids))
        if text.endswith("�"):
            ready = text[: len(text) - 1]
        else:
            ready = text
        new_text = ready[len(self.shown) :]
        self.shown = ready
        if ready == text:
            # everything is out, begin again
            self.open_ids = []
            self.shown = ""
        return new_text

    def finish(self):
        if self.open_ids == []:
            return ""
        text = self.decode(list(self.open_ids))
        new_text = text[len(self.shown) :]
        self.open_ids = []
        self.shown = ""
        return new_text


class StopStrings:
    def __init__(self, stops):
        for stop in stops:
            if stop == "":
                raise ValueError("a stop string is empty")
        self.stops = list(stops)
        self.waiting = ""
        self.stopped = False

    def push(self, text):
        if self.stopped:
            return ""
        self.waiting = self.waiting + text
        # which stop string is complete first?
        best_end = None
        best_start = None
        for stop in self.stops:
            start = self.waiting.find(stop)
            if start == -1:
                continue
            end = start + len(stop)
            if best_end is None or end < best_end or (end == best_end and start < best_start):
                best_end = end
                best_start = start
        if best_start is not None:
            out = self.waiting[:best_start]
            self.waiting = ""
            self.stopped = True
            return out
        # how much has to wait?
        keep = 0
        for stop in self.stops:
            for size in range(1, len(stop)):
                if self.waiting.endswith(stop[:size]) and size > keep:
                    keep = size
        cut = len(self.waiting) - keep
        out = self.waiting[:cut]
        self.waiting = self.waiting[cut:]
        return out

    def finish(self):
        out = self.waiting
        self.waiting = ""
        return out


def stream_text(generate, tokenizer, ids, *, max_tokens=16, temperature=1.0, top_p=1.0, stop=()):
    decoder = IncrementalDecoder(tokenizer.decode)
    stops = StopStrings(stop)
    how_many = 0
    for id in generate(ids, max_tokens=max_tokens, temperature=temperature, top_p=top_p):
        how_many = how_many + 1
        text = decoder.push(id)
        text = stops.push(text)
        yield (text, None)
        if stops.stopped:
            yield ("", "stop")
            return
    text = stops.push(decoder.finish())
    if not stops.stopped:
        text = text + stops.finish()
    if stops.stopped:
        yield (text, "stop")
    elif how_many == max_tokens:
        yield (text, "length")
    else:
        yield (text, "stop")


def render_chat(messages):
    if len(messages) == 0:
        raise ValueError("there must be a message")
    result = ""
    for message in messages:
        role = message.get("role")
        if role == "system":
            result += "System: "
        elif role == "user":
            result += "User: "
        elif role == "assistant":
            result += "Assistant: "
        else:
            raise ValueError("no such role")
        content = message.get("content")
        if isinstance(content, str):
            result += content
        elif isinstance(content, list):
            for part in content:
                if not isinstance(part, dict):
                    raise ValueError("a part must be an object")
                if part.get("type") != "text":
                    raise ValueError("only text")
                if not isinstance(part.get("text"), str):
                    raise ValueError("a part without text")
                result += part["text"]
        else:
            raise ValueError("no content")
        result += "\n"
    return result + "Assistant:"


def sse_event(data):
    data = data.replace("\r\n", "\n")
    data = data.replace("\r", "\n")
    result = ""
    for line in data.split("\n"):
        result += "data: " + line + "\n"
    result += "\n"
    return result.encode("utf-8")


class WrongRequest(Exception):
    def __init__(self, status, message, param=None, code=None):
        self.status = status
        self.message = message
        self.param = param
        self.code = code


def create_app(generate, tokenizer, *, model="scratchwork", context_length=None):
    app = FastAPI()

    def now():
        return int(datetime.now(timezone.utc).timestamp())

    def error_json(message, type, param=None, code=None):
        return {"error": {"message": message, "type": type, "param": param, "code": code}}

    @app.exception_handler(WrongRequest)
    async def wrong_request(request: Request, e: WrongRequest):
        return JSONResponse(error_json(e.message, "invalid_request_error", e.param, e.code), status_code=e.status)

    @app.exception_handler(StarletteHTTPException)
    async def http_error(request: Request, e: StarletteHTTPException):
        return JSONResponse(error_json(e.detail, "invalid_request_error"), status_code=e.status_code)

    @app.get("/health")
    async def health():
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models():
        return {
            "object": "list",
            "data": [{"id": model, "object": "model", "created": now(), "owned_by": "me"}],
        }

    async def get_body(request):
        data = await request.body()
        try:
            body = json.loads(data)
        except ValueError:
            raise WrongRequest(400, "this is not JSON") from None
        except RecursionError:
            raise WrongRequest(400, "this is too deep") from None
        if not isinstance(body, dict):
            raise WrongRequest(400, "this is not an object")
        for key in list(body):
            if body[key] is None:
                del body[key]
        return body

    def get_int(body, name, default):
        value = body.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise WrongRequest(400, name + " must be an integer", name)
        return value

    def get_number(body, name, default):
        value = body.get(name, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise WrongRequest(400, name + " must be a number", name)
        return value

    def get_settings(body, limit_name):
        if not isinstance(body.get("model"), str):
            raise WrongRequest(400, "a model, please", "model")
        if body["model"] != model:
            raise WrongRequest(404, "I don't know this model", "model", "model_not_found")
        s = {}
        s["max_tokens"] = get_int(body, limit_name, 16)
        if s["max_tokens"] < 1:
            raise WrongRequest(400, "at least one token", limit_name)
        s["temperature"] = get_number(body, "temperature", 1.0)
        if s["temperature"] < 0 or s["temperature"] > 2:
            raise WrongRequest(400, "temperature is from 0 to 2", "temperature")
        s["top_p"] = get_number(body, "top_p", 1.0)
        if s["top_p"] <= 0 or s["top_p"] > 1:
            raise WrongRequest(400, "top_p is from 0 to 1", "top_p")
        if get_int(body, "n", 1) != 1:
            raise WrongRequest(400, "one answer only", "n")
        stop = body.get("stop", [])
        if isinstance(stop, str):
            stop = [stop]
        if not isinstance(stop, list):
            raise WrongRequest(400, "stop is a text or a list", "stop")
        for one in stop:
            if not isinstance(one, str) or one == "":
                raise WrongRequest(400, "stop strings are texts", "stop")
        s["stop"] = stop
        stream = body.get("stream", False)
        if stream is not True and stream is not False:
            raise WrongRequest(400, "stream is true or false", "stream")
        options = body.get("stream_options", {})
        if not isinstance(options, dict):
            raise WrongRequest(400, "stream_options is an object", "stream_options")
        return s, stream, options.get("include_usage", False)

    def check_length(prompts, s):
        if context_length is None:
            return
        for ids in prompts:
            if len(ids) + s["max_tokens"] > context_length:
                raise WrongRequest(400, "this doesn't fit", None, "context_length_exceeded")

    async def pairs(ids, s):
        iterator = stream_text(generate, tokenizer, ids, **s)
        while True:
            pair = await asyncio.to_thread(next, iterator, None)
            if pair is None:
                return
            yield pair

    @app.post("/v1/completions")
    async def completions(request: Request):
        body = await get_body(request)
        s, stream, include_usage = get_settings(body, "max_tokens")
        prompt = body.get("prompt")
        if isinstance(prompt, str):
            prompt = [prompt]
        elif isinstance(prompt, list) and len(prompt) > 0 and all(type(x) is int for x in prompt):
            prompt = [prompt]
        if not isinstance(prompt, list) or len(prompt) == 0:
            raise WrongRequest(400, "a prompt, please", "prompt")
        prompts = []
        for one in prompt:
            if isinstance(one, str):
                one = tokenizer.encode(one)
            if not isinstance(one, list) or len(one) == 0:
                raise WrongRequest(400, "a prompt is empty", "prompt")
            for id in one:
                if type(id) is not int:
                    raise WrongRequest(400, "ids are integers", "prompt")
            prompts.append(one)
        check_length(prompts, s)
        start = {"id": "cmpl-" + secrets.token_hex(12), "object": "text_completion", "created": now(), "model": model}
        usage = {"prompt_tokens": sum(len(ids) for ids in prompts), "completion_tokens": 0}

        def choice(index, text, reason):
            return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}

        async def events():
            try:
                for index, ids in enumerate(prompts):
                    async for text, reason in pairs(ids, s):
                        if reason is None:
                            usage["completion_tokens"] += 1
                        if text != "" or reason is not None:
                            yield sse_event(json.dumps({**start, "choices": [choice(index, text, reason)]}))
            except Exception:
                yield sse_event(json.dumps(error_json("sorry", "server_error")))
                return
            if include_usage:
                usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
                yield sse_event(json.dumps({**start, "choices": [], "usage": usage}))
            yield sse_event("[DONE]")

        if stream:
            return EventSourceResponse(events())
        choices = []
        try:
            for index, ids in enumerate(prompts):
                whole = ""
                async for text, reason in pairs(ids, s):
                    whole += text
                    if reason is None:
                        usage["completion_tokens"] += 1
                    else:
                        choices.append(choice(index, whole, reason))
                    if await request.is_disconnected():
                        return JSONResponse({})
        except Exception:
            return JSONResponse(error_json("sorry", "server_error"), status_code=500)
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        return {**start, "choices": choices, "usage": usage}

    @app.post("/v1/chat/completions")
    async def chat_completions(request: Request):
        body = await get_body(request)
        limit_name = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
        s, stream, include_usage = get_settings(body, limit_name)
        messages = body.get("messages")
        if not isinstance(messages, list):
            raise WrongRequest(400, "messages, please", "messages")
        for message in messages:
            if not isinstance(message, dict):
                raise WrongRequest(400, "a message is an object", "messages")
        try:
            text = render_chat(messages)
        except ValueError as e:
            raise WrongRequest(400, str(e), "messages") from None
        ids = tokenizer.encode(text)
        s["stop"] = s["stop"] + ["\nUser:"]
        check_length([ids], s)
        start = {"id": "chatcmpl-" + secrets.token_hex(12), "created": now(), "model": model}
        usage = {"prompt_tokens": len(ids), "completion_tokens": 0, "total_tokens": len(ids)}

        def chunk(delta, reason):
            choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
            return sse_event(json.dumps({**start, "object": "chat.completion.chunk", "choices": choices}))

        async def events():
            yield chunk({"role": "assistant"}, None)
            try:
                async for text, reason in pairs(ids, s):
                    if reason is None:
                        usage["completion_tokens"] += 1
                        usage["total_tokens"] += 1
                    if text != "":
                        yield chunk({"content": text}, None)
                    if reason is not None:
                        yield chunk({}, reason)
            except Exception:
                yield sse_event(json.dumps(error_json("sorry", "server_error")))
                return
            if include_usage:
                last = {**start, "object": "chat.completion.chunk", "choices": [], "usage": usage}
                yield sse_event(json.dumps(last))
            yield sse_event("[DONE]")

        if stream:
            return EventSourceResponse(events())
        whole = ""
        finish_reason = None
        try:
            async for text, reason in pairs(ids, s):
                whole += text
                if reason is None:
                    usage["completion_tokens"] += 1
                    usage["total_tokens"] += 1
                else:
                    finish_reason = reason
                if await request.is_disconnected():
                    return JSONResponse({})
        except Exception:
            return JSONResponse(error_json("sorry", "server_error"), status_code=500)
        message = {"role": "assistant", "content": whole}
        choices = [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}]
        return {**start, "object": "chat.completion", "choices": choices, "usage": usage}

    return app


def create_chat(generate, tokenizer, *, max_tokens=128, temperature=1.0):
    def chat(message, history):
        messages = []
        for old in history:
            messages.append(old)
        messages.append({"role": "user", "content": message})
        ids = tokenizer.encode(render_chat(messages))
        answer = ""
        for text, _ in stream_text(
            generate, tokenizer, ids, max_tokens=max_tokens, temperature=temperature, stop=["\nUser:"]
        ):
            answer += text
            if text != "":
                yield answer

    return chat


def dockerfile(app="service:app", port=8000):
    text = "FROM python:3.12-slim\n"
    text += "WORKDIR /app\n"
    text += "COPY requirements.txt requirements.txt\n"
    text += "RUN pip install -r requirements.txt\n"
    text += "RUN adduser --disabled-password somebody\n"
    text += "COPY . .\n"
    text += "USER somebody\n"
    text += "EXPOSE " + str(port) + "\n"
    text += "ENV PORT=" + str(port) + "\n"
    text += 'CMD ["uvicorn", "' + app + '", "--host", "0.0.0.0", "--port", "' + str(port) + '"]\n'
    return text
