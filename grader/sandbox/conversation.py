"""The judge's side of the wire: requests out, answers and the student's questions back, handles in between."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from .errors import StudentError, WorkerLost
from .inside.wire import MAX_ASKED, MAX_DEPTH, WireError, decode, encode
from .requests import Requests

Message = tuple[Any, list[Any]]
Answer = Callable[[Any, list[Any]], Message]
MAX_HANDLES = 100_000
MOST_LINES = 1_000_000  # of a module; a frame that says more is none, like one below its first
MAX_ITEMS = 1_000_000  # of something in the worker that a check iterates over
MAX_QUESTIONS = 100_000  # of one worker
MAX_TEXT = 300  # characters of what the judge's own function says to a question that it cannot answer


END = object()  # of an iterator


class Transport(Protocol):
    """Carries one request to where the student's code runs, and its reply back."""

    def exchange(self, node: Any, buffers: list[Any], answer: Answer) -> Message:
        """Send a request; call `answer` for each question that comes back first; return the reply."""


class Callback:
    """A function of the judge's that the student's code may call.

    `look` is given the arguments first, which may be anything, and returns those that the function is called with; it
    raises TypeError or ValueError for what the function is not made for, and computes nothing.
    """

    def __init__(self, function: Callable[..., Any], look: Callable[..., tuple[Any, ...]]) -> None:
        self.function, self.look = function, look


class Items:
    """An iterator of the judge's that the student's code may consume."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        self.whole = iterable if type(iterable) is list else None  # when its items are fetched makes no difference
        self.iterator = iter(iterable)


class Handle:
    """Something that stays in the worker: a function, a class, a module, a generator.

    Attributes, calls, `len`, indexing and iteration go there; what comes back is a value or another handle.
    """

    def __init__(self, conversation: Conversation, number: int, type_name: str, can_be_called: bool) -> None:
        self._conversation, self._number, self._type, self._callable = conversation, number, type_name, can_be_called

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._conversation.get(self._number, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it there."""
        return self._conversation.request("call", target=self._number, args=list(args), kwargs=kwargs)

    def __len__(self) -> int:
        try:
            length = self._conversation.request("length", target=self._number)
        except StudentError as error:
            raise (TypeError(str(error)) if error.kind == "TypeError" else error) from None  # list() asks for a hint
        if type(length) is not int or not 0 <= length <= MAX_ITEMS:
            raise WorkerLost(nonsense="a length that is no length")
        return length

    def __getitem__(self, key: Any) -> Any:
        return self._conversation.request("item", target=self._number, key=key)

    def __iter__(self) -> Iterator[Any]:
        iterator = self._conversation.request("iterate", target=self._number)
        if not isinstance(iterator, Handle):
            raise WorkerLost(nonsense="an iterator that is none")
        with getattr(self._conversation.transport, "iterating", contextlib.nullcontext)():
            for number in range(MAX_ITEMS):
                if self._conversation.requests is not None:
                    self._conversation.requests.taken[iterator._number] = number + 1
                node, buffers = self._conversation.raw("next", target=iterator._number)
                if isinstance(node, dict) and "stop" in node:
                    return
                yield self._conversation.value(node, buffers)
        raise WorkerLost(nonsense=f"more than {MAX_ITEMS} items")

    def __repr__(self) -> str:
        return f"<{self._type} in the worker>"


def everything(iterable: Any) -> list[Any]:
    """Return all items of something in the worker by a single request, where it does not matter when each one comes."""
    if not isinstance(iterable, Handle):
        return list(iterable)
    return iterable._conversation.request("everything", target=iterable._number)  # type: ignore[no-any-return]


def each(function: Any, calls: list[tuple[Any, ...]]) -> list[Any]:
    """Call something in the worker once with each of these arguments, by a single request; return all results."""
    results = function._conversation.request("each", target=function._number, calls=calls)
    if type(results) is not list or len(results) != len(calls):
        raise WorkerLost(nonsense="results of other calls")
    return results


class Conversation:
    """Everything said between the judge and one worker."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._served: list[Callback | Items] = []
        self._questions = 0
        self.answered = False  # whether the student's code has returned anything
        self.requests: Requests | None = None  # what is asked for, where somebody wants to know
        self._traced: list[str] = []  # the library shortcuts that the worker was told to look out for
        self.shortcuts: list[str] = []  # those that it says it has seen used: a claim that can only withhold points

    def request(self, op: str, **fields: Any) -> Any:
        """Ask the worker for something; StudentError when the student's code raises, WorkerLost when it is gone."""
        if self.requests is None:
            return self.value(*self.raw(op, **fields))
        noted = self.requests.note(op, fields)
        noted.answer = self.value(*self.raw(op, **fields))
        return noted.answer

    def get(self, target: int | None, name: str) -> Any:
        """Return an attribute of an object in the worker, or of the student's module."""
        return self.request("get", target=target, name=name)

    def raw(self, op: str, **fields: Any) -> Message:
        """Send a request and return the reply undecoded."""
        buffers: list[Any] = []
        self._traced = fields.get("trace", self._traced)
        try:
            node = encode({"op": op, **fields}, buffers, self._refer_out)
            return self.transport.exchange(node, buffers, self._answer)
        except WireError as error:
            if not self.answered:
                raise  # the judge's own values: each of them can be sent, or a check is wrong
            raise WorkerLost(nonsense=f"what cannot be sent back to it: {error}") from None

    def saw(self, name: Any) -> None:
        """Note that the worker says it sees a library shortcut used."""
        if name in self._traced and name not in self.shortcuts:
            self.shortcuts.append(name)

    def value(self, node: Any, buffers: list[Any]) -> Any:
        """Turn a reply into the value it carries, or raise what it reports."""
        if not isinstance(node, dict) or len(node) != 1:
            raise WorkerLost(nonsense="a reply that is none")
        if "error" in node:
            raise read_error(node["error"])
        if "ok" not in node:
            raise WorkerLost(nonsense="a reply nobody asked for")
        self.answered = True
        return self._decoded(node["ok"], buffers, MAX_DEPTH)

    def _decoded(self, node: Any, buffers: list[Any], most: int) -> Any:
        try:
            return decode(node, buffers, self._refer_in, most=most)
        except WireError as error:
            raise WorkerLost(nonsense=str(error)) from None
        except (RecursionError, MemoryError):
            raise WorkerLost(nonsense="a value that is too large") from None

    def _refer_out(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Handle):
            return {"handle": value._number}
        if isinstance(value, Callback | Items):
            self._served.append(value)
            whole = isinstance(value, Items) and value.whole is not None
            kind = "callback" if isinstance(value, Callback) else "list" if whole else "iterator"
            return {kind: len(self._served) - 1}
        raise TypeError(f"a check cannot send a {type(value).__name__} to the student's code")

    def _refer_in(self, kind: str, content: Any) -> Handle:
        match kind, content:
            case "handle", [int(number), str(type_name), bool(can_be_called)] if 0 <= number < MAX_HANDLES:
                return Handle(self, number, type_name[:200], can_be_called)
        raise WireError(f"a value of the unknown kind {str(kind)[:40]!r}")

    def _answer(self, node: Any, buffers: list[Any]) -> Message:
        """Run one of the judge's functions for the student's code. The question may be forged.

        Whatever goes wrong with it is said to the student's code, or ends the check: the worker chose the question.
        """
        self._questions += 1
        if self._questions > MAX_QUESTIONS:
            raise WorkerLost(nonsense=f"more than {MAX_QUESTIONS} questions")
        question = self._decoded(node, buffers, MAX_ASKED)
        match question:
            case {"number": int(number), "args": list(args), "kwargs": dict(kwargs)} if (
                type(number) is int and 0 <= number < len(self._served) and all(type(name) is str for name in kwargs)
            ):
                served = self._served[number]
            case _:
                raise WorkerLost(nonsense="a question that is none")
        out: list[Any] = []
        try:
            if isinstance(served, Items):
                value = served.whole if served.whole is not None else next(served.iterator, END)
            else:
                value = served.function(*served.look(*args, **kwargs))
            if value is END:
                return {"stop": True}, []
            if self.requests is not None:
                self.requests.gave(served, value)
            return {"ok": encode(value, out, self._refer_out)}, out
        except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError, AttributeError) as error:
            kind = type(error) if type(error) in (TypeError, ValueError) else ValueError
            return {"error": [kind.__name__, str(error)[:MAX_TEXT]]}, []
        except (WireError, MemoryError):
            raise WorkerLost(nonsense="a question whose answer would be too large") from None


def read_error(node: Any) -> Exception:
    """Return the exception that a worker's error report stands for."""
    match node:
        case {"kind": str(kind), "bases": list(bases), "text": str(text), "frames": list(frames)}:
            return StudentError(kind[:100], [str(base)[:100] for base in bases[:20]], text[:4000], read_frames(frames))
    return WorkerLost(nonsense="an error report that is none")


def read_frames(frames: Any) -> list[tuple[str, int, str]]:
    """Return what is a frame in something that a worker calls frames: file, line, function."""
    kept = []
    for frame in frames[-20:] if type(frames) is list else []:
        match frame:
            case [str(file), line, str(function)] if type(line) is int and 0 <= line <= MOST_LINES:
                kept.append((file[:100], line, function[:100]))
    return kept
