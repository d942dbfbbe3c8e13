"""The calls that a check made of the student's code, as lines of Python that make them again.

In the order in which they were made: everything before the last one may have left its mark on what that one met. What a
worker said about itself is no part of the lines; names of things in the worker are made of letters alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grader.pictures import Picture
from grader.sandbox.conversation import Callback, Handle, Items
from grader.sandbox.requests import Noted, Requests

from .spelling import CannotSpell, Speller

PROBES = "grader.sandbox.inside.probes"
SHOWN_LINES, SHOWN_WIDTH = 8, 220  # of what a report shows


@dataclass(frozen=True)
class Calls:
    """The lines of one check."""

    task: str
    title: str  # of the check
    lines: tuple[str, ...]
    shown: tuple[str, ...]  # the last call and what it needs, where that is short
    data: bytes  # the values that are too large for a line, by their names, as torch saves them; may be empty
    device: str
    dice: int  # that the worker began with
    picture: Picture | None = None  # of the comparison that failed


@dataclass
class Line:
    """One line and the names in it."""

    text: str
    makes: str
    uses: frozenset[str]


class Writer:
    """Turns requests into lines."""

    def __init__(self, requests: Requests, names: dict[str, Any]) -> None:
        self._requests = requests
        self._handles = {value._number: name for name, value in names.items() if isinstance(value, Handle)}
        self._places: dict[str, str] = {}  # of files in the worker: its name for it -> ours
        self._served: dict[int, str] = {}
        self._taken: set[str] = set()
        self._used: set[str] = set()  # names in the expression that is being written
        self.speller = Speller(self._known)
        self.lines: list[Line] = []
        self.whole = True  # whether every request could be written

    def write(self) -> None:
        """Write all requests; what cannot be written, and what rests on it, is left out.

        Only what is used later has a name, and what came back last.
        """
        requests = [*self._requests.first, *self._requests.last]
        self.whole = not self._requests.left_out
        for noted in requests:
            self._used = set()
            try:
                if noted.changed:
                    raise CannotSpell
                self._write(noted)
            except CannotSpell:
                self.whole = False
        used: set[str] = set()
        for place, line in enumerate(reversed(self.lines)):
            if place and line.makes not in used:
                line.text = line.text.removeprefix(f"{line.makes} = ")
            used |= line.uses
        if self.lines and self.lines[-1].makes != "result":
            last = self.lines[-1]
            last.text, last.makes = f"result = {last.text.removeprefix(f'{last.makes} = ')}", "result"

    def _write(self, noted: Noted) -> None:
        fields, answer = noted.fields, noted.answer
        match noted.op:
            case "get":
                owner = self._owner(fields["target"])
                text = f"{owner}.{fields['name']}" if owner else fields["name"]
                if isinstance(answer, Handle):
                    self._handles.setdefault(answer._number, text)
                    return
            case "call":
                text = f"{self._owner(fields['target'])}({self._arguments(fields['args'], fields['kwargs'])})"
            case "each":
                text = f"[{self._owner(fields['target'])}(*given) for given in {self.speller.spell(fields['calls'])}]"
            case "length":
                text = f"len({self._owner(fields['target'])})"
            case "item":
                text = f"{self._owner(fields['target'])}[{self.speller.spell(fields['key'])}]"
            case "everything":
                text = f"list({self._owner(fields['target'])})"
            case "iterate":
                number = self._requests.taken.get(answer._number, 0) if isinstance(answer, Handle) else 0
                self._add("items", f"list(itertools.islice({self._owner(fields['target'])}, {number}))")
                return
            case "file":
                text = f"placed({fields['name']!r}, {self.speller.spell(fields['data'])})"
                name = self._add(fields["name"].partition(".")[0], text)
                if isinstance(answer, str):
                    self._places[answer] = name
                return
            case "probe":
                module = fields["planted"] or PROBES
                text = f"trusted({module!r}).{fields['name']}({self._arguments(fields['args'], fields['kwargs'])})"
            case _:
                raise CannotSpell
        held = list(_held(answer))
        kind = held[0][1]._type.rpartition(".")[2] if held and not held[0][0] else ""
        name = self._add(kind or "result", text)
        for place, handle in held:
            self._handles.setdefault(handle._number, f"{name}{place}")

    def _add(self, wanted: str, text: str) -> str:
        """Add a line that gives a value a name; return it."""
        plain = re.sub(
            r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", "".join(re.findall(r"[A-Za-z0-9_]+", wanted)[:1])
        ).lower()
        plain = plain if plain.isidentifier() and plain.isascii() and len(plain) <= 40 else "result"
        name = plain
        if plain != "result":  # the last result is the one that counts
            number = 1
            while name in self._taken or name in self._handles.values():
                number += 1
                name = f"{plain}{number}"
            self._taken.add(name)
        self.lines.append(Line(f"{name} = {text}", name, frozenset(self._used)))
        return name

    def _owner(self, target: int | None) -> str:
        if target is None:
            return ""
        if target not in self._handles:
            raise CannotSpell
        found = self._handles[target]
        self._used.add(re.split(r"[.\[(]", found, maxsplit=1)[0])
        return found

    def _arguments(self, args: Iterable[Any], kwargs: dict[str, Any]) -> str:
        parts = [self.speller.spell(value) for value in args]
        return ", ".join([*parts, *(f"{name}={self.speller.spell(value)}" for name, value in kwargs.items())])

    def _known(self, value: Any) -> str | None:
        """Return the name of something in the worker, of a file there, or of one of the judge's own functions."""
        if isinstance(value, Handle):
            return self._owner(value._number)
        if isinstance(value, str) and value in self._places:
            self._used.add(self._places[value])
            return self._places[value]
        if isinstance(value, Callback | Items):
            given = self._requests.given.get(id(value), [])
            if isinstance(value, Items):
                whole = value.whole if value.whole is not None else given
                return f"iter({self.speller.spell(whole)})"
            return f"answering({self.speller.spell(given)})"
        return None


def written(
    requests: Requests, names: dict[str, Any], task: str, title: str, device: str, dice: int,
    picture: Picture | None = None,
) -> Calls | None:  # fmt: skip
    """Return the calls of a check; None where there is nothing that could be called again."""
    writer = Writer(requests, names)
    writer.write()
    if not writer.lines:
        return None
    lines = [line.text for line in writer.lines]
    if not writer.whole:
        lines.insert(0, "# The check does more than this; what cannot be made again outside of it is left out.")
    shown = _last_call(writer.lines) if not writer.speller.kept else _last_call(writer.lines)[-1:]
    fits = len(shown) <= SHOWN_LINES and all(len(line) <= SHOWN_WIDTH for line in shown)
    data = _saved(writer.speller.kept)
    return Calls(task, title, tuple(lines), tuple(shown) if fits else (), data, device, dice, picture)


def _last_call(lines: list[Line]) -> list[str]:
    """Return the last line and, before it, those that make or change what it uses."""
    made = {line.makes for line in lines[:-1]}  # what has no line, the student's functions, does not change
    needed, found = lines[-1].uses & made, [lines[-1].text]
    for line in reversed(lines[:-1]):
        if line.makes in needed or line.uses & needed:
            needed |= line.uses & made
            found.insert(0, line.text)
    found[-1] = found[-1].removeprefix("result = ")
    return found


def _held(answer: Any, place: str = "", depth: int = 0) -> Iterable[tuple[str, Handle]]:
    """Return the handles in an answer, and how to get to each from it."""
    if isinstance(answer, Handle):
        yield place, answer
    elif depth < 3 and type(answer) in (list, tuple) and len(answer) <= 64:
        for index, part in enumerate(answer):
            yield from _held(part, f"{place}[{index}]", depth + 1)
    elif depth < 3 and type(answer) is dict and len(answer) <= 64:
        for key, part in answer.items():
            if type(key) in (str, int):
                yield from _held(part, f"{place}[{key!r}]", depth + 1)


def _saved(kept: dict[str, Any]) -> bytes:
    if not kept:
        return b""
    import torch

    buffer = io.BytesIO()
    torch.save(kept, buffer)
    return buffer.getvalue()
