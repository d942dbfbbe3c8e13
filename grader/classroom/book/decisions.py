"""What people decide about marks after grading: rows that are appended, each with its author, its time and its reason.

Of the same kind, student, milestone and task the latest row holds; one with an empty value takes it back. What is
empty in the others means everybody, every milestone, or the milestone as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from grader.course import Course, Extension, Part
from grader.syllabus import Syllabus

from .gradebook import Gradebook, now
from .results import GradebookError, Rows, moment

ADJUST = "adjust"  # "12": that many points; "+2" or "-1.5": so many more or fewer
EXCUSE = "excuse"  # "yes": no mark, and not in the total
EXTEND = "extend"  # a time until when, or "+2": so many days
LATE_DAYS = "late_days"  # how many this student has
EXCLUDE = "exclude"  # "yes": the task counts for nobody
WEIGHT = "weight"  # what a full milestone adds to the total
RELEASE = "release"  # "yes": no draft any more
REQUEST = "request"  # OPEN: somebody asks for another look; CLOSED: it was had, and the reason is the answer
DRAFTS = "drafts"  # "yes": the course's file says that marks are drafts first; a run notes it for later exports
ERASE = "erase"  # how many students were erased
MOST_DAYS = 1000
OPEN, CLOSED = "open", "closed"
POINTS = re.compile(r"[+-]?\d{1,7}(\.\d{1,6})?", re.ASCII)
ALL = "SELECT id, made, author, kind, student, milestone, task, value, reason, result FROM decision ORDER BY id"
COUNTING = (
    "SELECT MAX(result) FROM standing WHERE id = (SELECT MAX(id) FROM standing WHERE student = ? AND milestone = ?)"
)


@dataclass(frozen=True)
class Decision:
    """One of them."""

    kind: str
    value: str
    student: str = ""
    milestone: str = ""
    task: str = ""
    reason: str = ""
    author: str = ""
    made: str = ""
    id: int = 0
    result: int | None = None  # which result counted then

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What a later decision has to share with it to take its place."""
        return self.kind, self.student, self.milestone, self.task


def decide(book: Gradebook, author: str, decisions: Iterable[Decision]) -> int:
    """Append decisions, all or none; one that holds already adds no row. Return how many were added."""
    added = 0
    with book.transaction():
        holding = {each.place: each for each in history(book)}
        for new in decisions:
            old = holding.get(new.place)
            if (old.value if old else "", old.reason if old else "") == (new.value, new.reason):
                continue
            row = book.rows(COUNTING, (new.student, new.milestone))
            result = row[0][0] if row and new.student else None
            book.insert(
                "INSERT INTO decision (made, author, kind, student, milestone, task, value, reason, result) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (now(), author, *new.place, new.value, new.reason, result),
            )
            holding[new.place] = new
            added += 1
    return added


def history(book: Rows) -> list[Decision]:
    """Return all decisions, the earliest first."""
    found = []
    for number, made, author, kind, student, milestone, task, value, reason, result in book.rows(ALL):
        found.append(Decision(kind, value, student, milestone, task, reason, author, made, number, result))
    return found


def holding(book: Rows) -> list[Decision]:
    """Return the decisions that hold, in the order in which they were made."""
    latest: dict[tuple[str, ...], Decision] = {}
    for each in history(book):
        latest[each.place] = each
    return sorted((each for each in latest.values() if each.value), key=lambda each: each.id)


def applied(course: Course, decisions: Iterable[Decision], whole: Syllabus) -> Course:
    """Return a course with what was decided for everybody and about time. Raises GradebookError for a wrong value.

    What is about a task that the syllabus no longer has is about nothing.
    """
    tasks = {task.id for milestone in course.whole(whole).milestones for task in milestone.tasks}
    parts = {part.id: part for part in course.parts}
    extensions, late_days = list(course.extensions), dict(course.late_days)
    for each in decisions:
        match each.kind:
            case "exclude" if each.milestone in parts and each.task in tasks:
                part = parts[each.milestone]
                parts[part.id] = replace(part, exclude=part.exclude | {each.task})
            case "weight" if each.milestone in parts:
                parts[each.milestone] = replace(parts[each.milestone], weight=_within(each, 0.000001, 10**7))
            case "extend":
                extensions.append(_extension(each))
            case "late_days":
                late_days[each.student] = int(_within(each, 0, MOST_DAYS))
    made: tuple[Part, ...] = tuple(parts.values())
    return replace(course, parts=made, extensions=tuple(extensions), late_days=late_days)


def number(decision: Decision) -> float:
    """Return a decision's value as a number. Raises GradebookError when it is none."""
    if not POINTS.fullmatch(decision.value):
        raise GradebookError(f"The gradebook's decision {decision.id} ({decision.kind}) has a value that is no number.")
    return float(decision.value)


def _within(decision: Decision, least: float, most: float) -> float:
    found = number(decision)
    if not least <= found <= most:
        said = f"The gradebook's decision {decision.id} ({decision.kind})"
        raise GradebookError(f"{said} has a value that no course has.")
    return found


def _extension(each: Decision) -> Extension:
    until: datetime | None = None
    days = 0
    if each.value.startswith("+"):
        days = int(_within(each, 0, MOST_DAYS))
    else:
        until = moment(each.value)
        if until.utcoffset() is None:
            raise GradebookError(f"The gradebook's decision {each.id} (extend) has a time without a time zone.")
    return Extension(each.student, each.milestone, until, days, each.reason)
