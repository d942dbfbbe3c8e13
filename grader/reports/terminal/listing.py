"""The syllabus with a student's progress, for `python -m grader list`."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from grader.record import NOT_STARTED, PASSED
from grader.reports import words

from .paper import STACKED, Paper
from .table import Columns, Row


@dataclass(frozen=True)
class SyllabusRow:
    """One milestone of the syllabus and how far the student is with it."""

    milestone: str  # "m04_attention"
    title: str
    possible: float
    earned: float | None = None  # None: not graded yet
    state: str = "not started"  # one or two words: "passed", "not started", "begun", "changed since"
    hint: str = ""  # what to do next in this milestone; empty where there is nothing to say


def render_syllabus(rows: list[SyllabusRow], console: Console) -> None:
    """Print the milestones in order, the points earned so far and what comes next."""
    paper = Paper(console)
    lines = [_line(row) for row in rows]
    columns = Columns(paper, lines)
    for row, line in zip(rows, lines, strict=True):
        columns.print(line)
        if row.hint:
            indent = 10 if paper.width >= STACKED else 4
            paper.block(paper.theirs(row.hint, "dim"), indent=indent)
    paper.line()
    earned = sum(row.earned or 0 for row in rows)
    paper.row("Score", paper.ours(f"{words.number(earned)} of {words.in_points(sum(row.possible for row in rows))}"))


def _line(row: SyllabusRow) -> Row:
    outcome = PASSED if row.state == words.OUTCOME[PASSED] else NOT_STARTED
    points = words.number(row.possible) if row.earned is None else words.score(row.earned, row.possible)
    return Row(outcome, words.short(row.milestone), row.title, row.state, points)
