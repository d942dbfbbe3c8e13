"""What taking in a class gives: submissions, who is missing, and what is not clear."""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.classroom.book.doubts import Doubt
from grader.classroom.book.standing import Student

from .merging import HandedIn


@dataclass
class Collected:
    """Everything that was handed in, and what is missing."""

    handed_in: list[HandedIn] = field(default_factory=list)  # in the order of the roster, then those not on it
    missing: list[Student] = field(default_factory=list)  # on the roster, nothing handed in
    unclear: list[str] = field(default_factory=list)  # why whose something is cannot be told: one sentence each
    notes: list[str] = field(default_factory=list)  # duplicates, strangers: one sentence each
    doubts: list[Doubt] = field(default_factory=list)  # who has no 0 for what is not clear
    nobodys: list[str] = field(default_factory=list)  # origins of what a person has said is nobody's
    unread: list[str] = field(default_factory=list)  # sources that could not be read at all, which may be a class's
    lost: list[str] = field(default_factory=list)  # and those that may be one student's
