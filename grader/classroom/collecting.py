"""Taking in a class: folders, archives, exports and git repositories become one submission for each student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from grader.submission import Submission
from grader.syllabus import Syllabus

from .roster import Roster
from .standing import Student


class CollectingError(Exception):
    """A source as a whole cannot be taken in, such as a path that is not there; the text is one sentence."""


@dataclass
class HandedIn:
    """One student's submission, taken."""

    student: Student
    submission: Submission
    origin: str  # as it is named to the instructor: "week4.zip!anna_123/", "submissions/anna"
    handed_in: str = ""  # ISO 8601 with its offset, where the source says so
    problem: str = ""  # one sentence when nothing of it can be graded; the submission is empty then
    notes: list[str] = field(default_factory=list)  # one sentence each: what was ignored, and why


@dataclass
class Collected:
    """Everything that was handed in, and what is missing."""

    handed_in: list[HandedIn] = field(default_factory=list)  # in the order of the roster, then those not on it
    missing: list[Student] = field(default_factory=list)  # on the roster, nothing handed in
    notes: list[str] = field(default_factory=list)  # duplicates, strangers, unreadable archives: one sentence each


def collect_class(
    sources: Sequence[Path | str],
    syllabus: Syllabus,
    roster: Roster | None = None,
    *,
    since: datetime | None = None,
    students: set[str] | None = None,
) -> Collected:
    """Take in all submissions of a class; one that cannot be taken never stops the rest.

    `since` leaves out what was handed in before, where the source says when that was (what it doesn't say, stays);
    `students` keeps those whose id, email or name is in it.
    Raises CollectingError when a source isn't there or is nothing that can be taken in.
    """
    raise NotImplementedError
