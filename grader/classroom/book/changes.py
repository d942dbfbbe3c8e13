"""Whose score a mended suite changed: results of the same sources, by the grader before and by the one now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from grader import record

from .results import read
from .standing import Student

# The result that counts, and the last one of exactly the same sources that another grader gave.
PAIRS = """
    SELECT student.id, student.name, student.email, now.milestone, before.record, now.record, before.grader, now.grader,
        now.run
    FROM standing
    JOIN result AS now ON now.id = standing.result
    JOIN result AS before ON before.id = (
        SELECT MAX(id) FROM result
        WHERE student = now.student AND milestone = now.milestone AND sources = now.sources AND problem = now.problem
        AND conditions = now.conditions AND grader <> now.grader AND id < now.id
    )
    JOIN student ON student.id = now.student
    WHERE standing.id IN (SELECT MAX(id) FROM standing WHERE result IS NOT NULL GROUP BY student, milestone)
    ORDER BY position IS NULL, position, student.id, now.milestone
"""


class Rows(Protocol):
    """What can be asked for rows: a gradebook."""

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""


@dataclass(frozen=True)
class Turned:
    """One check that ends otherwise than it did."""

    task: str
    check: str
    before: str  # an outcome, or "" for a check that is new
    now: str  # an outcome, or "" for a check that is gone


@dataclass
class Change:
    """One student's milestone whose points are others than they were."""

    student: Student
    milestone: str
    before: float
    now: float
    possible: float
    graders: tuple[str, str]  # the one before, the one now
    run: int  # in which it was graded anew
    checks: list[Turned] = field(default_factory=list)


def changes(book: Rows) -> list[Change]:
    """Return whose points a new grader changed, and by which checks, in the order of the roster."""
    found = []
    for student, name, email, milestone, old, new, graded_by, now_by, run in book.rows(PAIRS):
        if old == new:
            continue
        before, now = (read(text, student, milestone) for text in (old, new))
        if before.earned == now.earned and before.possible == now.possible:
            continue
        found.append(
            Change(
                Student(student, name, email), milestone, before.earned, now.earned, now.possible,
                (graded_by, now_by), run, turned(before, now),
            )
        )  # fmt: skip
    return found


def turned(before: record.Milestone, now: record.Milestone) -> list[Turned]:
    """Return the checks that end otherwise, those of today's suite first."""
    old, new = _outcomes(before), _outcomes(now)
    return [
        Turned(*name, old.get(name, ""), new.get(name, ""))
        for name in [*new, *(name for name in old if name not in new)]
        if old.get(name) != new.get(name)
    ]


def _outcomes(milestone: record.Milestone) -> dict[tuple[str, str], str]:
    return {(task.id, check.id): check.outcome for task in milestone.tasks for check in task.checks}
