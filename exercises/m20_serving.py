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

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import FastAPI

Generate = Callable[..., Iterator[int]]


class IncrementalDecoder:
    """Turns ids into text while they come; all that `push` and `finish` return, joined, is decode of all ids.

    - A token may end within a character: what `push` returns is never taken back, and never lacks a character that was
      complete, whatever came before or comes next; what may yet become another character waits.
    - U+FFFD may also be what a text really holds. It may wait for the next token, but isn't lost.
    - However long a text is, decode gets at most 16 ids at a time, as long as characters end now and then.
    """

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        raise NotImplementedError("m20.1")

    def push(self, id: int) -> str:
        """Return the text that this token completes, which may be "".

        Example: where token 1 is the bytes E6 97 and token 2 is A5 21, push(1) gives "" and push(2) gives "日!".
        """
        # TODO(m20.1): decode what is open, and give out what no later token can change.
        raise NotImplementedError("m20.1")

    def finish(self) -> str:
        """Return what waits, once no token follows: U+FFFD for bytes that have not become a character."""
        raise NotImplementedError("m20.1")


class StopStrings:
    """Lets text through, in pieces, up to the first stop string; a stop string itself is never given out.

    - It ends before the stop string that is complete first; of two that end with one character, before the longer.
    - However the text was cut into pieces, what `push` and `finish` return, joined, is the same.
    - Held back is only what a stop string may begin with, and no character more.
    - `stopped` says whether one was found; afterwards `push` and `finish` return "".
    Raises ValueError for an empty stop string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        raise NotImplementedError("m20.2")

    def push(self, text: str) -> str:
        """Take the next piece, and return what may be given out now.

        Example: with the stop string "END", push("some E") gives "some ", and push("N") then gives "".
        """
        # TODO(m20.2): look in what was held back and the new piece together; hold back what may begin a stop string.
        raise NotImplementedError("m20.2")

    def finish(self) -> str:
        """Return what was held back, once no text follows."""
        raise NotImplementedError("m20.2")


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
    # TODO(m20.3): ids, the decoder, the stop strings; then what the two still hold, and why it ended.
    raise NotImplementedError("m20.3")


def render_chat(messages: list[dict[str, Any]]) -> str:
    r"""Write a conversation as one text that asks for the next answer.

    A message is {"role": "system" | "user" | "assistant", "content": ...}, whose content is a text, or a list of parts
    {"type": "text", "text": ...}, whose texts are joined as they are. Each becomes a line `System: ...`, `User: ...` or
    `Assistant: ...`; at the end stands `Assistant:`. Other keys don't matter.

    ValueError for no message, another role, or a part of another type.

    >>> render_chat([{"role": "user", "content": "Hi!"}])
    'User: Hi!\nAssistant:'
    """
    # TODO(m20.5): a line for each message, whatever the shape of its content, and the line that is to be filled.
    raise NotImplementedError("m20.5")


def sse_event(data: str) -> bytes:
    r"""Return one server-sent event in UTF-8: a field `data` for each line of the data, then an empty line.

    Lines end with \n, \r\n or \r, and with nothing else: U+2028 stays within its line.

    >>> sse_event("one\ntwo")
    b'data: one\ndata: two\n\n'
    """
    # TODO(m20.6): cut the data at the ends of its lines.
    raise NotImplementedError("m20.6")


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
    # TODO(m20.4): health, models, completions; every error in the one form. TODO(m20.5): chats.
    # TODO(m20.6): streams, and clients that leave.
    raise NotImplementedError("m20.4")


def create_chat(
    generate: Generate, tokenizer: Any, *, max_tokens: int = 128, temperature: float = 1.0
) -> Callable[[str, list[dict[str, Any]]], Iterator[str]]:
    r"""Return the function chat(message, history) that Gradio's ChatInterface calls for each message.

    - It yields the whole answer so far, each time that it has grown. Answers end before "\nUser:".
    - `history` holds the messages before, as render_chat takes them; the contents come as texts from programs, and as
      lists of parts from a browser. It stays as it was, and nothing else is known of a conversation.
    """
    # TODO(m20.7): the whole answer so far, again and again.
    raise NotImplementedError("m20.7")


def dockerfile(app: str = "service:app", port: int = 8000) -> str:
    """Return the text of a Dockerfile that serves `app`, as uvicorn names it, to the world outside, at `port`.

    - It begins from a slim image of Python, whose version it names.
    - requirements.txt is copied and installed before the sources are copied, so that a change to them installs nothing.
    - The port is exposed. A user who is not root runs uvicorn, by a CMD in exec form: so the signal to stop reaches it.
    """
    # TODO(m20.8): an instruction a line; the order decides what is built anew.
    raise NotImplementedError("m20.8")
