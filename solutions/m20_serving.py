"""m20_serving: an HTTP service that streams a model's text and speaks as OpenAI's does, for pages and programs.

A model gives token ids, and people read text while it is being written. Between the two lie bytes that are no character
yet, stop strings that come in pieces, clients that send nonsense or leave, and a model that blocks while it thinks.
Left out: batches of requests, several models, authentication, TLS, tool calls, log-probabilities.

Two things are handed in. A tokenizer, as m01's, has `encode(text) -> ids` and `decode(ids) -> text`, in which what is
no UTF-8 becomes U+FFFD. `generate(ids, max_tokens=..., temperature=..., top_p=...)` gives an iterator over new ids, at
most max_tokens of them, and fewer where an end token comes, which it keeps to itself. It blocks while the model thinks,
may be called in any thread and by several at a time, and may raise anything. You may use fastapi, starlette,
pydantic, anyio and uvicorn.
"""

import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.concurrency import iterate_in_threadpool
from starlette.exceptions import HTTPException

Generate = Callable[..., Iterator[int]]
_OPEN = "\ufffd"  # what decode makes of bytes that are no character, or none yet
_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
_NEXT_USER = "\nUser:"


class IncrementalDecoder:
    """Turns ids into text while they come; all that `push` and `finish` return, joined, is decode of all ids.

    - A token may end within a character: what `push` returns is never taken back, and never lacks a character that was
      complete, whatever came before or comes next; what may yet become another character waits.
    - U+FFFD may also be what a text really holds. It may wait for the next token, but isn't lost.
    - However long a text is, decode gets at most 16 ids at a time, as long as characters end now and then.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._pending: list[int] = []  # since the last place where a character ended
        self._given = 0  # characters of their text that were returned

    def push(self, id: int) -> str:
        """Return the text that this token completes, which may be "".

        Example: where token 1 is the bytes E6 97 and token 2 is A5 21, push(1) gives "" and push(2) gives "日!".
        """
        self._pending.append(id)
        text = self._decode(self._pending)
        # Pitfall: only the last U+FFFD may still become something else. Those before it will stay what they are.
        known = len(text) - text.endswith(_OPEN)
        piece = text[self._given : known]
        self._given = known
        if known == len(text):
            self._pending, self._given = [], 0
        return piece

    def finish(self) -> str:
        """Return what waits, once no token follows: U+FFFD for bytes that have not become a character."""
        rest = self._decode(self._pending)[self._given :] if self._pending else ""
        self._pending, self._given = [], 0
        return rest


class StopStrings:
    """Lets text through, in pieces, up to the first stop string; a stop string itself is never given out.

    - It ends before the stop string that is complete first; of two that end with one character, before the longer.
    - However the text was cut into pieces, what `push` and `finish` return, joined, is the same.
    - Held back is only what a stop string may begin with, and no character more.
    - `stopped` says whether one was found; afterwards `push` and `finish` return "".
    Raises ValueError for an empty stop string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if not all(stops):
            raise ValueError("an empty stop string would end every text before it begins")
        self._stops = list(stops)
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """Take the next piece, and return what may be given out now.

        Example: with the stop string "END", push("some E") gives "some ", and push("N") then gives "".
        """
        if self.stopped:
            return ""
        text, self._held = self._held + text, ""
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            return text[: min(found)[1]]
        beginnings = (stop[:size] for stop in self._stops for size in range(1, len(stop)))
        held = max((len(one) for one in beginnings if text.endswith(one)), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        """Return what was held back, once no text follows."""
        rest, self._held = self._held, ""
        return rest


def stream_text(
    generate: Generate, tokenizer: Any, ids: list[int], *,
    max_tokens: int = 16, temperature: float = 1.0, top_p: float = 1.0, stop: Sequence[str] = (),
) -> Iterator[tuple[str, str | None]]:  # fmt: skip
    """Generate, and yield a pair for every token as soon as it has come: (the text that it completes, None).

    - The text is IncrementalDecoder's and then StopStrings': it may be "".
    - The last pair is (what was held back, reason). The reason is "length" where max_tokens ids came and no stop string
      was found, else "stop".
    - After a stop string no further id is asked for. generate gets the settings by their names.
    """
    decoder, stops = IncrementalDecoder(tokenizer.decode), StopStrings(stop)
    count = 0
    for id in generate(ids, max_tokens=max_tokens, temperature=temperature, top_p=top_p):
        count += 1
        yield stops.push(decoder.push(id)), None
        if stops.stopped:
            break
    rest = stops.push(decoder.finish())  # the end of a character may complete a stop string, too
    rest += stops.finish()
    yield rest, "length" if count >= max_tokens and not stops.stopped else "stop"


def render_chat(messages: list[dict[str, Any]]) -> str:
    r"""Write a conversation as one text that asks for the next answer.

    A message is {"role": "system" | "user" | "assistant", "content": ...}, whose content is a text, or a list of parts
    {"type": "text", "text": ...}, whose texts are joined as they are. Each becomes a line `System: ...`, `User: ...` or
    `Assistant: ...`; at the end stands `Assistant:`. Other keys don't matter.

    ValueError for no message, another role, or a part of another type.

    >>> render_chat([{"role": "user", "content": "Hi!"}])
    'User: Hi!\nAssistant:'
    """
    if not messages:
        raise ValueError("there is no message")
    lines = []
    for message in messages:
        if message.get("role") not in _NAMES:
            raise ValueError(f"the role {message.get('role')!r} is none of {', '.join(_NAMES)}")
        lines.append(f"{_NAMES[message['role']]}: {_content(message.get('content'))}")
    return "\n".join([*lines, "Assistant:"])


def _content(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise ValueError("a message's content is a text or a list of parts")
    texts = []
    for part in content:
        text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
        if not isinstance(text, str):
            raise ValueError('a part of a message is {"type": "text", "text": ...}')
        texts.append(text)
    return "".join(texts)


def sse_event(data: str) -> bytes:
    r"""Return one server-sent event in UTF-8: a field `data` for each line of the data, then an empty line.

    Lines end with \n, \r\n or \r, and with nothing else: U+2028 stays within its line.

    >>> sse_event("one\ntwo")
    b'data: one\ndata: two\n\n'
    """
    lines = re.split("\r\n|\r|\n", data)  # Pitfall: splitlines() would cut at U+2028 and others, too
    return "".join(f"data: {line}\n" for line in lines).encode() + b"\n"


def create_app(
    generate: Generate, tokenizer: Any, *, model: str = "scratchwork", context_length: int | None = None
) -> FastAPI:
    r"""Return the service, an ASGI app. Bodies are JSON; null is as good as nothing, and other keys don't matter.

    - GET /health answers {"status": "ok"}, also while the model generates. GET /v1/models answers {"object": "list",
      "data": [{"id": model, "object": "model", "created": seconds since 1970, "owned_by": a text}]}.
    - POST /v1/completions takes `model`, `prompt` (a text, a list of ids, or a list of either) and, where wanted,
      `max_tokens` (16), `temperature` (1), `top_p` (1) and `stop` (a text or a list of texts).
    - It answers {"id": a text, no other answer's, "object": "text_completion", "created": seconds since 1970, "model":
      model, "choices": [...], "usage": {...}}. Each prompt, in their order, has a choice {"index": 0, 1, ..., "text":
      ..., "logprobs": null, "finish_reason": "stop" or "length"}.
    - usage has prompt_tokens, completion_tokens and total_tokens, their sum, of all prompts together; all that generate
      gave counts, also what is part of no text.
    - POST /v1/chat/completions takes `messages` in place of a prompt, and max_tokens as `max_completion_tokens`, too.
      Beside the stop strings asked for, "\nUser:" is one. The object is "chat.completion", and the one choice has
      "message": {"role": "assistant", "content": ...} in place of a text.
    - "stream": true asks for server-sent events, of the type text/event-stream: as soon as there is new text, an event
      with it, in ASCII. It is an answer without usage, with one id in the whole stream; finish_reason is null in all
      events of a choice but its last. After all of them comes "[DONE]".
    - In a chat the object of events is "chat.completion.chunk", and "delta" stands in place of the message; the first
      has the role, and all contents together are the message's.
    - "stream_options": {"include_usage": true} asks for one more event before [DONE], with usage and no choices.
    - Once its client has left, streaming or not, a generation ends. Requests don't disturb each other.

    An error is answered with {"error": {"message": a text, "type": ..., "param": ..., "code": ...}}.

    - 400, type "invalid_request_error": the body is no JSON object; or what `param` names is missing, of another type,
      empty (prompt, messages, a stop string), or out of place: max_tokens below 1, a temperature outside of 0 to 2, a
      top_p outside of 0 < top_p <= 1, `n` other than 1, messages that render_chat refuses.
    - 400, code "context_length_exceeded": a prompt and max_tokens are together more than context_length.
    - 404 of the same type: another model (code "model_not_found"), or no such path; 405: no such method.
    - 500, type "server_error": generate raised. In a stream the error comes as an event, and nothing after it. What was
      raised is not told.
    """
    app = FastAPI(openapi_url=None)
    started = int(time.time())

    @app.exception_handler(_Refused)
    async def refuse(_: Request, error: _Refused) -> Response:
        return JSONResponse(error.body(), error.status)

    @app.exception_handler(HTTPException)  # what the framework says of paths and methods
    async def no_such(_: Request, error: HTTPException) -> Response:
        return JSONResponse(_error(str(error.detail), "invalid_request_error"), error.status_code)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        one = {"id": model, "object": "model", "created": started, "owned_by": "scratchwork"}
        return {"object": "list", "data": [one]}

    @app.post("/v1/completions")
    async def completions(request: Request) -> Response:
        asked = _Asked(await _body(request), model)
        prompts = _prompts(asked.values.get("prompt"), tokenizer)
        return await _answer(request, asked, prompts, _Text(model), generate, tokenizer, context_length)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        asked = _Asked(await _body(request), model)
        messages = asked.values.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise _Refused("messages is a list of objects", "messages")
        try:
            prompt = render_chat(messages)
        except ValueError as error:
            raise _Refused(str(error), "messages") from None
        asked.stop.append(_NEXT_USER)
        return await _answer(
            request, asked, [tokenizer.encode(prompt)], _Chat(model), generate, tokenizer, context_length
        )

    return app


class _Refused(Exception):
    """What a request gets in place of an answer."""

    def __init__(self, message: str, param: str | None = None, status: int = 400, code: str | None = None) -> None:
        self.message, self.param, self.status, self.code = message, param, status, code

    def body(self) -> dict[str, Any]:
        return _error(self.message, "invalid_request_error", self.param, self.code)


def _error(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


_FAILED = _error("the model failed", "server_error")  # what it raised is nobody's business but the log's


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body())
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise _Refused("the body is no JSON") from None
    if not isinstance(body, dict):
        raise _Refused("the body is no JSON object")
    return {key: value for key, value in body.items() if value is not None}


class _Asked:
    """The settings of a request, looked at."""

    def __init__(self, values: dict[str, Any], model: str) -> None:
        self.values = values
        if not isinstance(self._get("model", str), str):
            raise _Refused("model is missing", "model")
        if values["model"] != model:
            raise _Refused(f"there is no model {values['model']!r}", "model", 404, "model_not_found")
        limit = "max_completion_tokens" if "max_completion_tokens" in values else "max_tokens"
        self.max_tokens = int(self._get(limit, int, 16))
        self.temperature = float(self._get("temperature", (int, float), 1.0))
        self.top_p = float(self._get("top_p", (int, float), 1.0))
        for name, fine in {
            limit: self.max_tokens >= 1,
            "temperature": 0 <= self.temperature <= 2,
            "top_p": 0 < self.top_p <= 1,
            "n": self._get("n", int, 1) == 1,
        }.items():
            if not fine:
                raise _Refused(f"{name} is out of range", name)
        stop = self._get("stop", (str, list), [])
        self.stop: list[str] = [stop] if isinstance(stop, str) else list(stop)
        if not all(isinstance(one, str) and one for one in self.stop):
            raise _Refused("stop is a text or a list of texts, none of them empty", "stop")
        self.stream = bool(self._get("stream", bool, False))
        self.usage = self._get("stream_options", dict, {}).get("include_usage") is True

    def _get(self, name: str, kind: Any, default: Any = None) -> Any:
        value = self.values.get(name, default)
        if value is not default and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise _Refused(f"{name} has a wrong type", name)
        return value


def _prompts(prompt: Any, tokenizer: Any) -> list[list[int]]:
    """Return the ids of each prompt."""
    several = isinstance(prompt, list) and not all(type(id) is int for id in prompt)
    found = []
    for one in prompt if several else [prompt]:
        if isinstance(one, str):
            one = tokenizer.encode(one)
        if not isinstance(one, list) or not one or not all(type(id) is int and id >= 0 for id in one):
            raise _Refused("prompt is a text, a list of ids, or a list of either, and none is empty", "prompt")
        found.append(one)
    return found


class _Text:
    """What answers of /v1/completions look like."""

    object = chunk = "text_completion"
    prefix = "cmpl-"

    def __init__(self, model: str) -> None:
        self.head = {"id": self.prefix + uuid.uuid4().hex, "created": int(time.time()), "model": model}

    def opening(self, index: int) -> dict[str, Any] | None:
        """Return what a stream begins with, if it does with more than text."""
        return None

    def whole(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}

    piece = whole


class _Chat(_Text):
    """What answers of /v1/chat/completions look like."""

    object, chunk = "chat.completion", "chat.completion.chunk"
    prefix = "chatcmpl-"

    def opening(self, index: int) -> dict[str, Any] | None:
        return {**self.piece(index, "", None), "delta": {"role": "assistant", "content": ""}}

    def whole(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": text}
        return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}

    def piece(self, index: int, text: str, reason: str | None) -> dict[str, Any]:
        delta = {"content": text} if text else {}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


async def _answer(
    request: Request, asked: _Asked, prompts: list[list[int]], form: _Text,
    generate: Generate, tokenizer: Any, context_length: int | None,
) -> Response:  # fmt: skip
    longest = max(map(len, prompts))
    if context_length is not None and longest + asked.max_tokens > context_length:
        message = f"{longest} tokens and {asked.max_tokens} more are too many: {context_length} fit"
        raise _Refused(message, code="context_length_exceeded")
    usage = {"prompt_tokens": sum(map(len, prompts)), "completion_tokens": 0, "total_tokens": 0}

    def pieces() -> Iterator[tuple[int, str, str | None]]:
        for index, ids in enumerate(prompts):
            for text, reason in stream_text(
                generate, tokenizer, ids, max_tokens=asked.max_tokens,
                temperature=asked.temperature, top_p=asked.top_p, stop=asked.stop,
            ):  # fmt: skip
                usage["completion_tokens"] += reason is None
                yield index, text, reason
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]

    if asked.stream:
        return StreamingResponse(_events(pieces, form, usage if asked.usage else None), media_type="text/event-stream")
    texts, reasons = [""] * len(prompts), [""] * len(prompts)
    try:
        # In a thread, for the loop has others to serve; and between two tokens there is time to see who has left.
        async for index, text, reason in iterate_in_threadpool(pieces()):
            texts[index] += text
            reasons[index] = reason or ""
            if await request.is_disconnected():
                return Response()
    except Exception:  # generate may raise anything: the client learns that it failed, the log what it was
        logging.exception("generate failed")
        return JSONResponse(_FAILED, 500)
    choices = [form.whole(index, *said) for index, said in enumerate(zip(texts, reasons, strict=True))]
    return JSONResponse({"object": form.object, **form.head, "choices": choices, "usage": usage})


async def _events(
    pieces: Callable[[], Iterator[tuple[int, str, str | None]]], form: _Text, usage: dict[str, int] | None
) -> AsyncIterator[bytes]:
    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return sse_event(json.dumps({"object": form.chunk, **form.head, "choices": choices, **more}))

    begun = -1
    try:
        async for index, text, reason in iterate_in_threadpool(pieces()):
            if index > begun:
                begun = index
                if choice := form.opening(index):
                    yield event([choice])
            if text:
                yield event([form.piece(index, text, None)])
            if reason:
                yield event([form.piece(index, "", reason)])
    except Exception:  # the same, but the status is out: only an event can still say it
        logging.exception("generate failed")
        yield sse_event(json.dumps(_FAILED))
        return
    if usage:
        yield event([], usage=usage)
    yield sse_event("[DONE]")


def create_chat(
    generate: Generate, tokenizer: Any, *, max_tokens: int = 128, temperature: float = 1.0
) -> Callable[[str, list[dict[str, Any]]], Iterator[str]]:
    r"""Return the function chat(message, history) that Gradio's ChatInterface calls for each message.

    - It yields the whole answer so far, each time that it has grown. Answers end before "\nUser:".
    - `history` holds the messages before, as render_chat takes them; the contents come as texts from programs, and as
      lists of parts from a browser. It stays as it was, and nothing else is known of a conversation.
    """

    def chat(message: str, history: list[dict[str, Any]]) -> Iterator[str]:
        prompt = tokenizer.encode(render_chat([*history, {"role": "user", "content": message}]))
        said = ""
        for text, _ in stream_text(
            generate, tokenizer, prompt, max_tokens=max_tokens, temperature=temperature, stop=[_NEXT_USER]
        ):
            if text:
                said += text
                yield said

    return chat


def dockerfile(app: str = "service:app", port: int = 8000) -> str:
    """Return the text of a Dockerfile that serves `app`, as uvicorn names it, to the world outside, at `port`.

    - It begins from a slim image of Python, whose version it names.
    - requirements.txt is copied and installed before the sources are copied, so that a change to them installs nothing.
    - The port is exposed. A user who is not root runs uvicorn, by a CMD in exec form: so the signal to stop reaches it.
    """
    command = json.dumps(["uvicorn", app, "--host", "0.0.0.0", "--port", str(port)])
    return f"""\
FROM python:3.13-slim
WORKDIR /service
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt && useradd --create-home service
COPY . .
USER service
EXPOSE {port}
CMD {command}
"""
