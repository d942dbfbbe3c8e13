"""A notebook as somebody has it before them: the file, and over it the cells that were run since it was saved."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from . import reading

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # of a cell in a file; some editors have addresses of their own in memory


@dataclass(frozen=True)
class Ran:
    """A code cell as it was run last."""

    text: str
    id: str  # as the editor names it; empty where it does not say
    at: float  # seconds since 1970

    @property
    def marker(self) -> str:
        """The line that says which tasks it is for; empty where it says none, or the milestone alone."""
        return _marker(self.text)


class Remembered:
    """The cells that were run in a kernel, each once, in the order of their last runs."""

    def __init__(self) -> None:
        self._cells: dict[str, Ran] = {}

    def note(self, text: str, name: str, at: float) -> None:
        """Remember a cell, in the place of what it was before: by its id, else by its first line, else by its text."""
        ran = Ran(text.replace("\r\n", "\n"), name, at)
        key = name or ran.marker or ran.text
        self._cells.pop(key, None)
        self._cells[key] = ran

    def over(self, data: bytes | None, saved: float, number: str) -> bytes | None:
        """Return the notebook's file with the cells in it that were run after it was `saved`.

        A cell that the file does not have comes after those that name the same tasks, else after the one that was run
        before it. Without a file there is nothing but the cells; None where there are none of this milestone either.
        Raises ValueError, with the half of a sentence, for a file that is no notebook.
        """
        cells = [] if data is None else reading.plain_cells(data)
        latest = -1  # place of the cell that was run before
        for ran in self._cells.values():
            place = _place(cells, ran)
            if place is None:
                if ran.at <= saved or reading.cell_of(ran.text, number) is None:
                    continue  # it was deleted, or counts for nothing here
                tasks = _tasks(ran.text)
                alike = [at for at, (_, text, _) in enumerate(cells) if tasks and _tasks(text) == tasks]
                place = (alike[-1] if alike else latest) + 1
                cells.insert(place, ("code", "", ran.id))
            if ran.at > saved:
                cells[place] = ("code", ran.text, ran.id)
            latest = place
        if data is None and not cells:
            return None
        plain = [{"cell_type": kind, "source": text} for kind, text, _ in cells]
        return json.dumps({"nbformat": reading.FORMAT, "cells": plain}).encode()


def _place(cells: list[tuple[str, str, str]], ran: Ran) -> int | None:
    """Return which cell of a file it is: by its id, or where it or the file has none, by its first line or its text."""
    names = [name for _, _, name in cells]
    if _ID.fullmatch(ran.id) and any(names):
        return names.index(ran.id) if names.count(ran.id) == 1 else None
    markers = [_marker(text) for _, text, _ in cells]
    if ran.marker and markers.count(ran.marker) == 1:
        return markers.index(ran.marker)
    texts = [text for _, text, _ in cells]
    return texts.index(ran.text) if ran.text in texts else None


def _marker(text: str) -> str:
    return _first_line(text) if _tasks(text) else ""


def _tasks(text: str) -> tuple[str, ...]:
    tasks = reading.tasks_of(_first_line(text))
    return tuple(tasks) if tasks and "." in tasks[0] else ()


def _first_line(text: str) -> str:
    return text.strip("\n").partition("\n")[0]
