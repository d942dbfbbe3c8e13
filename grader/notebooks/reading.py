"""What counts of a notebook: the code cells whose first line names a task, read as text and never run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from grader import files

from . import magics

FORMAT = 4  # of notebooks, since 2014
_MARKER = re.compile(r"#[ \t]*([a-z]\d\d)((?:\.\d+)?)(?!\.?\w)", re.IGNORECASE)
_MORE = re.compile(r"(?:[ \t]*(?:,|&|and)[ \t]*)([a-z]\d\d\.\d+)(?!\.?\w)", re.IGNORECASE)
_DEFINED = re.compile(r"^(?:async[ \t]+def|def|class)[ \t]+(\w{1,80})", re.MULTILINE)
_FUNCTION = re.compile(r"^\s*(?:async )?def ", re.MULTILINE)
_UNWRITTEN = b'raise NotImplementedError("'
BETWEEN = "\n\n\n"  # of two cells in the module that they make
OURS = ("# Setup:", "# Colab:")  # how a cell begins that we have written, and that is not worth a word
SHOWN = 6  # lines whose places one sentence tells
NAMED = 12  # numbers in one sentence; the rest is counted


@dataclass(frozen=True)
class Cell:
    """A code cell that counts."""

    number: int  # from 1, as the notebook has its cells
    marker: str  # its first line
    text: str  # what follows it
    id: str = ""  # as the notebook names it; nothing tells that only one is named so


@dataclass
class Module:
    """The module that a notebook's cells make."""

    source: bytes = b""
    places: list[tuple[int, int, int]] = field(default_factory=list)  # first line in it, cell, and line of that
    said: list[str] = field(default_factory=list)  # what was left out or holds no longer, each a sentence's end

    def place(self, line: int) -> tuple[int, int]:
        """Return in which cell, and in which line of it, a line of the module stands."""
        first, cell, own = max((place for place in self.places if place[0] <= line), default=(1, 0, 1))
        return cell, own + line - first

    def said_of(self, lines: list[int]) -> str:
        """Return where some lines of the module stand, as a part of a sentence: "line 57 is line 3 of cell 7"."""
        places = [(line, *self.place(line)) for line in lines[:SHOWN]]
        more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
        return ", ".join(f"line {line} is line {own} of cell {cell}" for line, cell, own in places) + more


def read(data: bytes, number: str, limit: int) -> Module:
    """Return the module that the cells of one milestone ("m04") make, in the order of the file.

    Raises ValueError, with the half of a sentence, for what is no notebook, and for more source than `limit` bytes.
    """
    cells, left_out = counting(plain_cells(data), number)
    module = joined(cells, limit)
    if left_out:
        begin = "it does not begin" if len(left_out) == 1 else "they do not begin"
        named = f"{_named('cell', left_out)} {'was' if len(left_out) == 1 else 'were'} left out"
        module.said.insert(0, f"{named}: {begin} with a line that names a task, like # {number}.1")
    return module


def plain_cells(data: bytes) -> list[tuple[str, str, str]]:
    """Return of each cell its kind, its text and its id, for code cells. Raises ValueError for what is no notebook."""
    try:
        plain = files.parse_json(data)
    except ValueError as error:
        raise ValueError(f"it is no notebook ({error})") from None
    if not isinstance(plain, dict) or type(plain.get("nbformat")) is not int:
        raise ValueError("it is no notebook: it does not say of which format")
    if plain["nbformat"] != FORMAT:
        again = "open it in Jupyter and save it again, which writes format 4"
        raise ValueError(f"it is a notebook of another format than {FORMAT}; {again}")
    if not isinstance(plain.get("cells"), list):
        raise ValueError("it is no notebook: it has no list of cells")
    return [_plain_cell(cell, number) for number, cell in enumerate(plain["cells"], 1)]


def _plain_cell(cell: Any, number: int) -> tuple[str, str, str]:
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    if not isinstance(kind, str):
        raise ValueError(f"cell {number} of it is none as notebooks have them")
    if kind != "code":
        return kind, "", ""
    lines, name = cell.get("source"), cell.get("id")
    if isinstance(lines, list) and all(isinstance(line, str) for line in lines):
        lines = "".join(lines)
    if not isinstance(lines, str):
        raise ValueError(f"cell {number} of it has no text")
    return kind, lines.replace("\r\n", "\n"), name if isinstance(name, str) else ""


def counting(cells: Iterable[tuple[str, str, str]], number: str) -> tuple[list[Cell], list[int]]:
    """Return the cells of a milestone, and which others hold Python code that does not count."""
    found, left_out = [], []
    for place, (kind, text, name) in enumerate(cells, 1):
        if kind != "code":
            continue
        if cell := cell_of(text, number, place, name):
            found.append(cell)
        elif _holds_code(text) and not text.startswith(OURS):
            left_out.append(place)
    return found, left_out


def cell_of(text: str, number: str, place: int = 0, name: str = "") -> Cell | None:
    """Return a cell's text as a cell of this milestone, or None where its first line does not say that it is one."""
    marker, _, rest = text.strip("\n").partition("\n")
    tasks = tasks_of(marker)
    return Cell(place, marker, rest, name) if tasks and tasks[0].partition(".")[0] == number else None


def tasks_of(line: str) -> list[str]:
    """Return what a cell's first line says that it is for: tasks, or a milestone alone; nothing where it says nothing.

    Example: "# m04.3, m04.4 The rest" -> ["m04.3", "m04.4"]; "# m04" -> ["m04"]; "# the mask of m04.1" -> [].
    """
    found = _MARKER.match(line)
    if found is None:
        return []
    tasks, at = [found[1] + found[2]], found.end()
    while more := _MORE.match(line, at):
        tasks.append(more[1])
        at = more.end()
    return [task.lower() for task in tasks]


def _holds_code(text: str) -> bool:
    """Tell whether a cell holds more than comments and lines that are IPython's."""
    lines = (line.strip() for line in text.split("\n"))
    return any(line and line[0] not in "#%!?" for line in lines)


def joined(cells: Iterable[Cell], limit: int) -> Module:
    """Return the module that cells make, one after the other. Raises ValueError for more than `limit` bytes."""
    module, line, left = Module(), 1, limit
    parts: list[str] = []
    stripped: dict[int, list[int]] = {}
    definers: dict[str, list[int]] = {}
    for cell in cells:
        # Half of a pair of surrogates is no character: what reads the source refuses it, and says so.
        if (left := left - len(cell.text.encode("utf-8", "surrogatepass"))) < 0:
            raise ValueError(f"its cells that count are larger than {limit // 1024} kB, which no solution needs")
        text, lines = magics.without(cell.text)
        if lines:
            stripped[cell.number] = [own + 1 for own in lines]
        for name in set(_DEFINED.findall(text)):
            definers.setdefault(name, []).append(cell.number)
        own = len(text) - len(text.lstrip("\n"))
        module.places.append((line, cell.number, 2 + own))
        parts.append(text.strip("\n"))
        line += parts[-1].count("\n") + BETWEEN.count("\n")
    module.source = (BETWEEN.join(parts) + "\n").encode("utf-8", "surrogatepass") if parts else b""
    if stripped:
        where = [f"{_named('line', lines)} of cell {cell}" for cell, lines in stripped.items()]
        more = f" and {len(where) - NAMED} more cells" if len(where) > NAMED else ""
        module.said.append(f"what is IPython's (%, ! or ?) was left out: {', '.join(where[:NAMED])}{more}")
    for name, numbers in sorted(definers.items())[:NAMED]:
        if len(numbers) > 1:
            module.said.append(f"{name} is defined in {_named('cell', numbers)}, and what the last one defines counts")
    return module


def holds_work(source: bytes) -> bool:
    """Tell whether a module has anything written in it: not every function only says that it is not implemented.

    It looks at the text alone, and decides nothing but which of two files is meant.
    """
    text = source.decode("utf-8", "replace")
    return bool(text.strip()) and (not (made := len(_FUNCTION.findall(text))) or made != unwritten(source))


def unwritten(source: bytes) -> int:
    """Return how many functions of a module say that they are not implemented."""
    return source.count(_UNWRITTEN)


def _named(what: str, numbers: list[int]) -> str:
    """Return "cell 3", or "cells 3, 5 and 9"."""
    shown = [str(number) for number in numbers[:NAMED]]
    last = f"{len(numbers) - NAMED} more" if len(numbers) > NAMED else shown.pop()
    return f"{what}s {', '.join(shown)} and {last}" if shown else f"{what} {last}"
