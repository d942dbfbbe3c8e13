"""Questions whose answers are known: which sections of the guides hold them, and which are about something else."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .guides import Section

FILE = Path(__file__).with_name("judged.toml")


@dataclass(frozen=True)
class Judged:
    """A question, and the places of the sections that answer it; none where the guides don't."""

    question: str
    sections: frozenset[int]


def read(sections: Sequence[Section]) -> tuple[list[Judged], list[Judged]]:
    """Return the questions that these sections answer, and those about something else.

    A question is left out where a section that it names is not there, as in a course of fewer milestones.
    """
    places = {section.name: place for place, section in enumerate(sections)}
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    answered = [
        Judged(one["question"], frozenset(places[name] for name in one["sections"]))
        for one in found["question"]
        if all(name in places for name in one["sections"])
    ]
    return answered, [Judged(question, frozenset()) for question in found["elsewhere"]]
