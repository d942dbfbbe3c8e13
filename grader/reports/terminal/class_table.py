"""A class on a terminal: a line for each student, then everything that an instructor should know of."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from grader.classroom.book.changes import Change
from grader.classroom.book.standing import ClassResult, Standing
from grader.counting import counted
from grader.record import NOT_STARTED
from grader.reports import words
from grader.safe_text import one_line

from .paper import Paper

_NAME = 28  # cells at most
_CELL = 5
_SHOWN = 12  # checks of one change


def render(result: ClassResult, console: Console, *, chosen: Iterable[str] | None = None) -> None:
    """Print the class's table; of the milestones only those `chosen`, where some are."""
    with contextlib.suppress(SystemExit):  # rich exits when the reader of a pipe is gone
        _table(Paper(console), result, set(chosen) if chosen is not None else None)


def say(console: Console, title: str, sentences: list[str]) -> None:
    """Print sentences under a title; nothing where there are none."""
    if not sentences:
        return
    with contextlib.suppress(SystemExit):
        paper = Paper(console)
        paper.line(paper.ours(title, "bold"))
        for sentence in sentences:
            paper.block(paper.theirs(one_line(sentence, 600)), indent=2)
        paper.line()


def render_changes(changes: list[Change], console: Console) -> None:
    """Print whose points a new grader changed, and by which checks."""
    with contextlib.suppress(SystemExit):
        paper = Paper(console)
        if not changes:
            paper.line(paper.ours("No points are others than the grader before gave for the same sources."))
            return
        before, now = changes[0].graders
        paper.block(paper.ours(f"What the new grader changed ({before} → {now}), the sources being the same", "bold"))
        for change in changes:
            points = f"{words.number(change.before)} → {words.score(change.now, change.possible)}"
            who = paper.theirs(one_line(_who(change.student.id, change.student.name)))
            paper.block(Text("  ") + who + paper.ours(f"  {words.short(change.milestone)}  {points}", "bold"))
            for turn in change.checks[:_SHOWN]:
                old, new = (words.OUTCOME.get(outcome, "no such check") for outcome in (turn.before, turn.now))
                paper.block(paper.ours(f"{turn.task}  {turn.check}: {old} → {new}"), indent=4)
            if len(change.checks) > _SHOWN:
                paper.block(paper.ours(f"and {counted(len(change.checks) - _SHOWN, 'more check')}"), indent=4)
        paper.line()


def _table(paper: Paper, result: ClassResult, chosen: set[str] | None) -> None:
    columns = [column for column in result.columns if chosen is None or column.milestone in chosen]
    names = [paper.theirs(one_line(_who(one.student.id, one.student.name))) for one in result.standings]
    width = min(_NAME, max(7, *(name.cell_len for name in names), 0)) + 1
    possible = words.number(sum(column.worth for column in columns if column.counts))
    total = max(6, len(possible) + 2)
    wide = max(paper.console.width, paper.width)
    fits = width + total + _CELL * len(columns) + 3 <= wide
    kind = "official results" if result.official else "practice results" if _graded(result) else "no results yet"
    paper.block(
        Text.assemble(("Scratchwork", "bold"), paper.ours(f"  {kind} of the class, "))
        + paper.theirs(one_line(result.course))
    )
    paper.line()
    shown = columns if fits else []
    head = paper.fit(paper.ours("student"), width) + _right(paper, "points", total)
    for column in shown:
        head += _right(paper, words.short(column.milestone), _CELL)
    head.stylize("dim")
    paper.line(head)
    for name, one in zip(names, result.standings, strict=True):
        earned = result.total(one, columns)
        row = paper.fit(name, width) + _right(paper, words.number(earned), total, "bold")
        for column in shown:
            row += _right(paper, _cell(one, column.milestone), _CELL)
        paper.line(row)
    paper.line(
        paper.fit(paper.ours("of"), width)
        + _right(paper, possible, total)
        + Text().join(_right(paper, words.number(column.possible), _CELL) for column in shown)
    )
    legend = "· not started   – nothing handed in, or no result" if shown else "A wider terminal shows each milestone."
    if any(one.excused for one in result.standings):
        legend += "   ex excused"
    paper.line(paper.ours(legend, "dim"))
    paper.line()


def _graded(result: ClassResult) -> bool:
    return any(standing.milestones for standing in result.standings)


def _cell(standing: Standing, milestone: str) -> str:
    if milestone in standing.excused:
        return "ex"
    found, counts = standing.milestones.get(milestone), standing.mark(milestone)
    if counts is None:
        return "–"
    untouched = found is not None and found.tasks and all(task.outcome == NOT_STARTED for task in found.tasks)
    if untouched and not counts:
        return "·"
    return words.number(counts)


def _right(paper: Paper, text: str, width: int, style: str = "") -> Text:
    cell = paper.ours(text, style)
    cell.pad_left(max(0, width - cell.cell_len))
    return cell


def _who(student: str, name: str) -> str:
    return f"{name} ({student})" if name and name != student else student
