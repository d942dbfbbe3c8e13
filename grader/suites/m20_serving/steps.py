"""What several checks of m20_serving do: put the student's service before a model of the judge's, and talk with it."""

import itertools
import json
import time
from typing import Any

from grader.judge import CheckFailed, StudentError, asked, expect, expect_equal

from . import oracle_http, probes
from .oracle_http import Answer, parsed

PATIENCE = 3.0  # seconds that a token waits for what should come before it: only where the code is wrong does it all
MODEL = "nano-1"
JSON = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]
MISSING = "nothing of that name"
MOST_IDS = 2000
FORM = "the error is not in OpenAI's form, but the framework's own"
OTHER_FORM = "the error is in another form than OpenAI's"
FRAMEWORKS = b"Internal Server Error"  # all that starlette says of what nobody has caught
NO_MESSAGE = "the error has no message"
VALIDATION = "the framework's own answer to wrong values (422) is left as it is"


def number(value):
    """Take a plain int or float."""
    if type(value) not in (int, float):
        raise TypeError("a setting of generate is no number")
    return value


def message(value):
    """Take whatever a service sends; it is looked at where it is taken."""
    return value


class Service:
    """The student's service, with the judge's model behind it and the judge's clients before it.

    `says` are the ids that the model gives for any prompt, or a function of a prompt's ids. With `paced` each token is
    given when it is asked for: `paced(service, call, position)` says with which orders, and `heard(service, client)`
    what to do after each message. A token that `let` does not let come yet has to wait. `log` has what happened, in
    order: ("token", call, position), ("late", call, position) before one that did not wait, ("sent", client).
    """

    def __init__(
        self, student, vocabulary, says, *, model=MODEL, context_length=None, paced=None, heard=None, patience=PATIENCE
    ):
        self.vocabulary, self.says, self.paced, self.heard = vocabulary, says, paced, heard
        self.calls, self.log, self.answers, self._open = [], [], [], {}
        self.planted = student.plant(probes)
        takes = (asked.list_of(asked.of(int), MOST_IDS), number, number, number)
        place = (asked.of(int), asked.of(int))
        self.stage = self.planted.stage(
            student.callback(self._asked, *takes),
            student.callback(self._give, *place, asked.of(bool)),
            student.callback(self._sent, asked.of(int), message),
            patience,
        )
        self.generate = self.stage.generate
        self.tokenizer = self.planted.vocabulary(vocabulary.tokens)
        self._student, self._settings = student, {"model": model, "context_length": context_length}
        self._app = None

    @property
    def app(self):
        """The student's app."""
        if self._app is None:
            settings = {name: value for name, value in self._settings.items() if value is not None}
            self._app = self._student.create_app(self.generate, self.tokenizer, **settings)
        return self._app

    def talk(self, *requests, at_once=None):
        """Send requests side by side, and return the answers to them."""
        app = self.app
        self.answers = [Answer() for _ in requests]
        try:
            self.planted.converse(self.stage, app, list(requests), len(requests) if at_once is None else at_once)
        except StudentError as error:
            if len(requests) > 1 or error.kind == "NotImplementedError":
                raise
            self.answers[0].raised = error
        return self.answers

    def ask(self, *requests):
        """Send requests one after the other, and return the answers, which have to be whole."""
        found = []
        for request in requests:
            found += self.talk(request)
            found[-1].expect_end()
        return found

    def _asked(self, ids, max_tokens, temperature, top_p):
        self.calls.append((ids, max_tokens, temperature, top_p))
        return len(self.calls) - 1, None if self.paced else self._said(ids, max_tokens)

    def _said(self, ids, max_tokens):
        said = self.says(ids) if callable(self.says) else self.says
        return said[: max(0, int(max_tokens))]

    def let(self, call, count):
        """Let so many tokens of a call come, and no more for now; return the order."""
        self._open[call] = count
        return ["open", call, count]

    def _give(self, call, position, at_once):
        if not (self.paced and 0 <= call < len(self.calls) and position >= 0):
            raise CheckFailed("Your code asked for a token that nobody offered.")
        said, orders = self._said(*self.calls[call][:2]), list(self.paced(self, call, position) or ())
        if position >= len(said):
            return orders, None
        if position >= self._open.get(call, len(said)):
            if not at_once:
                return orders, probes.WAIT
            self.log.append(("late", call, position))
        self.log.append(("token", call, position))
        return orders, said[position]

    def _sent(self, client, sent):
        if not 0 <= client < len(self.answers):
            raise CheckFailed("Your service answered a client that is none.")
        self.answers[client].take(sent)
        self.log.append(("sent", client))
        return self.heard(self, client) if self.heard else None

    def happened(self, kind):
        """Return what of this kind stands in the log: [call, position] of tokens."""
        return [list(rest) for what, *rest in self.log if what == kind]


def get(path):
    """Return a request for a page."""
    return {"method": "GET", "path": path, "headers": JSON[:1], "pieces": [b""]}


def post(path, body, *, cuts=(), headers=JSON):
    """Return a request with a body: JSON of a value, or bytes; cut into pieces where it is wanted."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    places = [0, *cuts, len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    return {"method": "POST", "path": path, "headers": list(headers), "pieces": pieces}


def complete(prompt, **settings):
    """Return a request for a completion."""
    return post("/v1/completions", {"model": MODEL, "prompt": prompt, **settings})


def converse(*messages, **settings):
    """Return a request for the next message of a chat; messages are (role, content)."""
    said = [{"role": role, "content": content} for role, content in messages]
    return post("/v1/chat/completions", {"model": MODEL, "messages": said, **settings})


def part(found, *path):
    """Return what lies in JSON under these keys and places, or that there is nothing."""
    for key in path:
        try:
            found = found[key] if type(found) in (dict, list) else MISSING
        except (LookupError, TypeError):
            return MISSING
    return found


def parts(found, *names):
    """Return those of these entries that a JSON object has; others don't matter."""
    return {name: part(found, name) for name in names if part(found, name) != MISSING}


def without(found, *names):
    """Return a copy of a JSON object that lacks these keys."""
    return {name: value for name, value in found.items() if name not in names}


def chosen(found, *path):
    """Return one thing of each choice of an answer, in the order of their indices."""
    choices = part(found, "choices")
    if type(choices) is not list:
        return MISSING
    return [part(choice, *path) for choice in sorted(choices, key=index)]


def index(choice):
    """Return a choice's index, to sort by."""
    found = part(choice, "index")
    return found if type(found) is int else -1


def expect_status(answer, status, misses=None):
    """Compare an answer's status; where the app raised something, that is what is shown."""
    misses = {**(misses or {}), **({VALIDATION: 422} if b'"detail"' in answer.body else {})}
    expect_unbroken(answer, next((words for words, one in misses.items() if one == answer.status), None), status)
    expect_equal(answer.status, status, what="the status code", misses=misses)


def expect_unbroken(answer, mistake, status=None):
    """Raise what came out of the app, unless it is an answer with this status."""
    if answer.raised is not None and not (answer.complete and answer.status == status):
        answer.raised.mistake = mistake
        raise answer.raised


def expect_error(answer, status, kind="invalid_request_error", *, param=None, code=None, misses=None):
    """Compare an answer with an error as OpenAI words it; None stands for whatever comes there."""
    expect_status(answer, status, misses)
    answer.expect_end()
    form = FORM if answer.body == FRAMEWORKS else OTHER_FORM
    expect_equal(answer.kind, "application/json", what="the type of the answer", misses={form: "text/plain"})
    body = answer.json()
    found, form = part(body, "error"), OTHER_FORM if part(body, "detail") == MISSING else FORM
    names = ["type", *["param"] * (param is not None), *["code"] * (code is not None)]
    wanted = {name: {"type": kind, "param": param, "code": code}[name] for name in names}
    misses = {form: {}}
    if param is not None:
        misses |= {"param does not say what is wrong": wanted | {"param": None}}
    if param == "messages":
        misses |= {"param names the prompt, and a chat has messages": wanted | {"param": "prompt"}}
    expect_equal(parts(found, *names), wanted, what="the error", misses=misses)
    mistake = NO_MESSAGE if found.get("message") is None else None
    expect(type(found.get("message")) is str, "An error has a message, which is a text.", mistake=mistake)
    expect({"param", "code"} <= set(found), "An error has the keys param and code, if only with null.")


def bits(answer, *path):
    """Return one thing of each choice of each event of a stream, by the choice's index."""
    found: dict[int, list[Any]] = {}
    for data in answer.events():
        if data == "[DONE]":
            continue
        for choice in part(json_of(data), "choices") or ():
            found.setdefault(index(choice), []).append(part(choice, *path))
    return found


def json_of(data):
    """Return the JSON object that an event holds."""
    return parsed(data, "An event of the stream")


def text_of(bits):
    """Return the bits of text of one choice, joined; what is no text counts as none."""
    return "".join(bit for bit in bits if type(bit) is str and bit != MISSING)


def expect_recent(created):
    """Ask for whole seconds since 1970, of about now."""
    now = int(time.time())  # a number of any length may stand in JSON, and no float is as large
    expect_equal(
        type(created), int, what="the type of created", misses={"created is no whole number of seconds": lambda: float}
    )
    expect(
        abs(created - now) < 3600, "created is not the time in seconds since 1970.", evidence="value",
        mistake="created is in milliseconds" if abs(created // 1000 - now) < 3600 else None,
    )  # fmt: skip


def expect_usage(found, prompt, completion, **misses):
    """Compare usage with these numbers of tokens."""

    def usage(prompt, completion, total):
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}

    nothing = "usage is missing" if part(found, "usage") in (MISSING, None) else "usage has other keys"
    expect_equal(
        parts(part(found, "usage"), *usage(0, 0, 0)), usage(prompt, completion, prompt + completion), what="usage",
        misses={
            nothing: {},
            "the prompt is not part of usage": usage(0, completion, completion),
            "the total is never added up": {**usage(prompt, completion, 0)},
            "the total counts the answer alone": usage(prompt, completion, completion),
            **{name: usage(prompt, other, prompt + other) for name, other in misses.items()},
        },
    )  # fmt: skip


def streamed(service, request):
    """Return the answer to a request for a stream, which came to its end."""
    (answer,) = service.ask(request)
    expect_status(answer, 200)
    return answer


def expect_done(answer):
    """Ask for [DONE], once and as the last event, and return the JSON of the others."""
    data = answer.events()
    json_alone = [one for one in data if one != "[DONE]"]
    lacking = "[DONE] stands in quotes, as JSON" if data[-1:] == ['"[DONE]"'] else "[DONE] never comes"
    expect_equal(
        [*data[-1:], data.count("[DONE]")], ["[DONE]", 1], what="the last event, and how often [DONE] came",
        misses={lacking: [*data[-1:], 0]},
    )  # fmt: skip
    return [json_of(one) for one in json_alone]


def expect_reasons(answer):
    """Ask for "stop" as the finish_reason of the last event with a choice, and for null in all before it."""
    reasons = bits(answer, "finish_reason").get(0, [])
    before = [reason for place, reason in enumerate(reasons[:-1]) if reason not in reasons[:place]]
    expect_equal(
        [reasons[-1:], before], [["stop"], [None]], what="the last finish_reason, and those before",
        misses={
            "finish_reason is missing in a stream": [[MISSING], [MISSING]],
            "no event of the stream has a finish_reason": [[None], [None]],
            "every event has the finish_reason of the last": [["stop"], ["stop"]],
        },
    )  # fmt: skip


def expect_events(actual, data):
    """Compare the events that come out of bytes."""
    expect_equal([type(one) for one in actual], [bytes] * len(data), what="the types of the events")
    found = [oracle_http.events(one) for one in actual]
    right = [[("message", one.replace("\r\n", "\n").replace("\r", "\n"))] for one in data]
    expect_equal(
        found, right, what="the events as a browser reads them",
        misses={
            "no empty line ends an event": [[] for _ in data],
            "the end of a line stands as it is in the data, and cuts the event": [
                oracle_http.events(f"data: {one}\n\n".encode()) for one in data
            ],
            "the event is cut at U+2028, which is no end of a line": [
                oracle_http.events("".join(f"data: {line}\n" for line in one.splitlines() or [""]).encode() + b"\n")
                for one in data
            ],
            "the data is turned into JSON once more": [[("message", json.dumps(one))] for one in data],
            "an event of no text has no field data": [
                oracle_http.events("".join(f"data: {line}\n" for line in one.splitlines()).encode() + b"\n")
                for one in data
            ],
            "the data is cut at \\n alone, and not at \\r": [
                oracle_http.events("".join(f"data: {line}\n" for line in one.split("\n")).encode() + b"\n")
                for one in data
            ],
            "the field data is missing": [
                oracle_http.events(f"{one}\n\n".encode()) for one in data
            ],
        },
    )  # fmt: skip


def expect_heads(found, kind):
    """Compare what all events of a stream have in common."""
    heads = [parts(one, "object", "model") for one in found]
    expect_equal(
        heads, [{"object": kind, "model": MODEL}] * len(found), what="what all events begin with",
        misses={"the events of a stream have the object of a whole answer": [
            {"object": "chat.completion", "model": MODEL}] * len(found)},
    )  # fmt: skip
    ids = {str(part(one, "id")) for one in found}
    expect_equal(
        len(ids), 1, what="the number of ids in the stream", misses={"each event has an id of its own": len(found)}
    )
    expect(MISSING not in ids, "An event has no id.")
    expect(all(type(part(one, "created")) is int for one in found), "An event has no time in created.")
