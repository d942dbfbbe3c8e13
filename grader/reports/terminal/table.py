"""The table of milestones and tasks, for terminals."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text

from grader.record import FAILED, NOT_STARTED, PASSED, WITHHELD, Milestone, Record
from grader.reports import words
from grader.reports.findings import untouched
from grader.safe_text import one_line

from .paper import STYLE, Paper

_FEW = 3  # up to so many milestones every task gets its line
_START = 10  # of the titles
_GAP = 3
_NARROWEST_TITLE = 18


@dataclass(frozen=True)
class Row:
    """One line of a table; an empty outcome has no sign before it."""

    outcome: str
    name: str
    title: str
    state: str
    points: str
    heading: bool = False


def print_table(paper: Paper, record: Record) -> None:
    """Print a line for each milestone and below it one for each task.

    A milestone that could not be graded, or need not be, is one line; in a long report also one whose tasks all
    passed, and one that is not started.
    """
    few = len(record.milestones) <= _FEW
    tables = [_rows(milestone, few) for milestone in record.milestones]
    columns = Columns(paper, [row for rows in tables for row in rows])
    for milestone, rows in zip(record.milestones, tables, strict=True):
        for row in rows:
            columns.print(row)
        for note in milestone.notes:
            paper.block(paper.theirs(one_line(note, 600)), indent=8, first=paper.ours("  note  ", "yellow"))
        if few:
            paper.line()
    if not few:
        paper.line()


class Columns:
    """Columns as wide as the widest of these rows needs; the title takes what is left."""

    def __init__(self, paper: Paper, rows: list[Row]) -> None:
        self._paper = paper
        self._state = max((paper.ours(row.state).cell_len for row in rows if not row.heading), default=0)
        self._points = max((len(row.points) for row in rows), default=0)
        self._width = min(paper.width, max((self._needs(row) for row in rows), default=0))

    def print(self, row: Row) -> None:
        """Print one row; its state and points go below the title where the console is narrow."""
        paper = self._paper
        start, title, state = self._start(row), self._title(row), self._state_of(row)
        points = paper.ours(row.points, "bold" if row.heading else "dim")
        state_width = max(self._state, state.cell_len)
        room = self._width - start.cell_len - state_width - self._points - 2 * _GAP
        if room < min(_NARROWEST_TITLE, title.cell_len):
            paper.block(title, indent=start.cell_len, first=start)
            below = Text.assemble(state, " " * _GAP if row.state else "", points)
            if start.cell_len + below.cell_len > paper.width:
                below = Text.assemble(state, "\n", points)
            paper.block(below, indent=start.cell_len)
            return
        first, *more = title.wrap(paper.console, room) or [Text()]
        points.pad_left(self._points - points.cell_len)
        gap = Text(" " * _GAP)
        paper.line(start, paper.fit(first, room), gap, paper.fit(state, state_width), gap, points)
        for piece in more:
            paper.line(Text(" " * start.cell_len), piece)

    def _needs(self, row: Row) -> int:
        state = max(self._state, self._state_of(row).cell_len)
        return self._start(row).cell_len + self._title(row).cell_len + state + self._points + 2 * _GAP

    def _start(self, row: Row) -> Text:
        sign = Text.assemble(self._paper.symbol(row.outcome), " ") if row.outcome else Text()
        if not row.heading:
            sign = Text("  ") + sign
        name = self._paper.ours(row.name, "bold" if row.heading else "")
        return self._paper.fit(sign + name, max(_START, sign.cell_len + name.cell_len + 1))

    def _title(self, row: Row) -> Text:
        return self._paper.ours(row.title, "bold" if row.heading else "")

    def _state_of(self, row: Row) -> Text:
        return self._paper.ours(row.state, STYLE.get(row.outcome, ""))


def _rows(milestone: Milestone, few: bool) -> list[Row]:
    points = words.score(milestone.earned, milestone.possible)
    name = words.short(milestone.id)
    if milestone.problem is not None:
        return [Row(FAILED, name, milestone.title, "could not be graded", points, heading=True)]
    if milestone.reused:
        return [Row(PASSED, name, milestone.title, words.unchanged(milestone), points, heading=True)]
    outcomes = {task.outcome for task in milestone.tasks}
    fresh = untouched(milestone)
    if not few and (fresh or outcomes in ({PASSED}, {WITHHELD})):
        only = NOT_STARTED if fresh else next(iter(outcomes))
        return [Row(only, name, milestone.title, words.OUTCOME[only], points, heading=True)]
    return [Row("", name, milestone.title, "", points, heading=True)] + [
        Row(task.outcome, task.id, task.title, words.outcome(task), words.score(task.earned, task.points))
        for task in milestone.tasks
    ]
