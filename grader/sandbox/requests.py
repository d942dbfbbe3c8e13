"""What a check asks of a worker, kept while it runs so that its last call can be shown: its beginning and its end.

Only references are kept, and not the values that a check changes later: those are noticed by their version.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

MOST_FIRST, MOST_LAST = 48, 16  # requests
MOST_GIVEN = 64  # answers of each of the judge's own functions
TENSORS = ("torch", "torch.nn.parameter")  # modules; to ask something in the worker for its version would be a request
QUIET = frozenset({"load", "roll", "inspect", "compile", "plant"})  # no part of what a check does

_ASIDE = ContextVar("aside", default=False)


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Keep nothing of what is asked for meanwhile: it tells what a call came to grief of, which stays the last one."""
    before = _ASIDE.set(True)
    try:
        yield
    finally:
        _ASIDE.reset(before)


class Noted:
    """One request: what it was, and what came back, if anything did."""

    __slots__ = ("answer", "fields", "op", "versions")

    def __init__(self, op: str, fields: dict[str, Any]) -> None:
        self.op, self.fields, self.answer = op, fields, None
        self.versions = [(value, value._version) for value in _tensors(fields)]

    @property
    def changed(self) -> bool:
        """Whether a tensor that was sent is no longer what it was."""
        return any(value._version != version for value, version in self.versions)


class Requests:
    """The requests of one check."""

    def __init__(self) -> None:
        self.first: list[Noted] = []
        self.last: deque[Noted] = deque(maxlen=MOST_LAST)
        self.left_out = 0
        self.taken: dict[int, int] = {}  # how many items of an iterator, by its number
        self.given: dict[int, list[Any]] = {}  # what one of the judge's own functions has answered, by its identity

    def note(self, op: str, fields: dict[str, Any]) -> Noted:
        """Keep a request that is about to be sent."""
        noted = Noted(op, fields)
        if op not in QUIET and not _ASIDE.get():
            if len(self.first) < MOST_FIRST:
                self.first.append(noted)
            else:
                self.left_out += len(self.last) == MOST_LAST
                self.last.append(noted)
        return noted

    def gave(self, source: object, value: Any) -> None:
        """Keep what one of the judge's own functions or iterators has given."""
        given = self.given.setdefault(id(source), [])
        if len(given) < MOST_GIVEN and not _ASIDE.get():
            given.append(value)


def _tensors(fields: dict[str, Any]) -> list[Any]:
    """Return the tensors among the arguments, and in the dicts and lists among them."""
    found: list[Any] = []
    for value in (*fields.get("args", ()), *fields.get("kwargs", {}).values()):
        parts = value.values() if type(value) is dict else value if type(value) in (list, tuple) else (value,)
        found += [part for part in parts if type(part).__module__ in TENSORS and hasattr(part, "_version")]
    return found
