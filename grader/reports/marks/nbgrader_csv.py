"""A class as nbgrader's `nbgrader export` writes it: a row for each assignment and student, but quoted as CSV asks.

Source: nbgrader, nbgrader/plugins/export.py (columns, times in UTC) and nbgrader/api.py (the order: assignments by due
date and name, students by last and first name). Where it writes 0.0 for what was not handed in, the cell is empty here:
no mark is not 0.
"""

from __future__ import annotations

from datetime import UTC, datetime

from grader.classroom.book.standing import ClassResult, Column, Standing
from grader.safe_text import one_line

from .sheets import Export, Sheet, render_sheet, words_cell
from .targets import names

HEADER = [
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
    "late_submission_penalty", "score", "max_score",
]  # fmt: skip


def render(result: ClassResult) -> Export:
    """Return the CSV file."""
    columns = sorted(result.columns, key=lambda column: (_utc(column.due), column.milestone))  # without a date: first
    standings = sorted(result.standings, key=lambda standing: (*_names(standing.student.name), standing.student.id))
    rows = [_row(column, standing) for column in columns for standing in standings]
    export = Export(render_sheet(Sheet(HEADER, rows)))
    unsure = [
        s for s in result.standings if s.origin and not all(s.is_decided(column.milestone) for column in result.columns)
    ]
    if unsure:
        export.warnings.append(
            f"Not everything is handed in and graded of {names(unsure)}: where there is no mark, the score is empty; "
            "nbgrader itself writes 0.0."
        )
    return export


def _row(column: Column, standing: Standing) -> list[str]:
    student = standing.student
    last, first = _names(student.name)
    handed_in = standing.milestones.get(column.milestone) is not None
    draft = column.milestone in standing.drafts
    failed = handed_in and not standing.is_decided(column.milestone)  # the grader, so that its 0 is nobody's
    counts = None if draft or failed else standing.mark(column.milestone)
    raw = standing.raw(column.milestone) if handed_in else counts
    return [
        words_cell(column.milestone),
        _utc(column.due),
        _utc(standing.times.get(column.milestone, standing.handed_in)) if handed_in else "",
        words_cell(student.id),
        words_cell(last),
        words_cell(first),
        words_cell(student.email),
        _number(None if draft else raw),
        str(round(float(standing.penalties.get(column.milestone, 0.0)), 4)) if handed_in and not draft else "0.0",
        _number(counts),
        str(round(float(column.possible), 4)),
    ]


def _number(points: float | None) -> str:
    """Return points as Python prints them; nothing where there is no mark, which is not 0."""
    return "" if points is None else str(round(float(points), 4))


def _names(name: str) -> tuple[str, str]:
    """Return last and first name; without a comma the last word is taken for the last name."""
    name = one_line(name)
    last, comma, first = name.partition(",")
    if comma:
        return last.strip(), first.strip()
    first, _, last = name.strip().rpartition(" ")
    return last, first


def _utc(stamp: str) -> str:
    """Return an ISO 8601 time as nbgrader prints it: in UTC, without an offset; the text itself if it is no time."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return words_cell(stamp)
    return str(moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment)
