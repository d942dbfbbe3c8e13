"""The roster: who belongs to the class, read from a CSV file with the columns id, name and email."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .standing import Student


class RosterError(Exception):
    """The roster cannot be used; the text is one sentence."""


@dataclass(frozen=True)
class Roster:
    """A class, in the order of its file."""

    students: tuple[Student, ...] = field(default_factory=tuple)


def load_roster(path: Path) -> Roster:
    """Read a roster. Raises RosterError when it has no such columns, or names somebody twice."""
    raise NotImplementedError
