"""What one student gets back: every mark that is released, what made it what it is, and what to mend.

It is the official view for every class: no message, traceback or output, in which an input could stand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from grader.classroom.book.standing import ClassResult, Column, Standing
from grader.record import Milestone, Record
from grader.reports import words
from grader.reports.machines import markdown
from grader.reports.marks.feedback import excuse, told
from grader.reports.student_view import student_view
from grader.safe_text import markdown_prose

from . import page


@dataclass(frozen=True)
class Row:
    """One milestone, as the student reads it."""

    column: Column
    earned: str
    taken_off: str
    counts: str
    says: list[str]  # sentences
    milestone: Milestone | None  # in the official view


def shown(result: ClassResult, standing: Standing, milestones: list[str] | None = None) -> list[Row]:
    """Return what is released of a student's milestones; one that is not due and was not handed in is left out."""
    rows = []
    for column in result.columns:
        name = column.milestone
        if name in standing.drafts or (milestones is not None and name not in milestones):
            continue
        graded, mark = standing.milestones.get(name), standing.mark(name)
        if graded is None and mark is None and name in standing.pending:
            continue
        counts = "excused" if name in standing.excused else "no mark" if mark is None else words.number(mark)
        penalty = standing.penalties.get(name, 0.0)
        rows.append(
            Row(
                column, words.number(standing.raw(name)) if graded else "–", words.number(penalty) if penalty else "–",
                counts, _sentences(standing, name), _official(standing, graded) if graded else None,
            )
        )  # fmt: skip
    return rows


def render(result: ClassResult, standing: Standing, rows: list[Row]) -> str:
    """Return the page."""
    record = Record("", "", "", "", "", milestones=[row.milestone for row in rows if row.milestone])
    return page.render(
        "feedback.html",
        result=result,
        standing=standing,
        rows=rows,
        record=record,
        beside={},
        total=_total(result, standing, rows),
    )


def render_markdown(result: ClassResult, standing: Standing, rows: list[Row]) -> str:
    """Return the same as Markdown."""
    who = standing.student.name or standing.student.id
    lines = [
        f"# {markdown_prose(result.course)}: {markdown_prose(who)}",
        "",
        markdown_prose(_total(result, standing, rows)),
        "",
    ]
    lines += ["| milestone | earned | taken off | counts | of |", "|---|---:|---:|---:|---:|"]
    for row in rows:
        title = f"{words.short(row.column.milestone)} {row.column.title}"
        cells = (title, row.earned, row.taken_off, row.counts, words.number(row.column.possible))
        lines.append(f"| {' | '.join(markdown_prose(cell) for cell in cells)} |")
    record = Record("", "", "", "", "", milestones=[row.milestone for row in rows if row.milestone])
    said = [f"- {words.short(row.column.milestone)}: {markdown_prose(' '.join(row.says))}" for row in rows if row.says]
    return "\n\n".join(["\n".join([*lines, "", *said]), *markdown.explanations(record)]) + "\n"


def _official(standing: Standing, graded: Milestone) -> Milestone:
    """Return a result as a student may see it, its tasks with the points that a person made of them."""
    graded = replace(graded, tasks=standing.tasks(graded.id))
    whole = Record("", "", "", "", "", official=True, milestones=[graded])
    return student_view(whole).milestones[0]


def _sentences(standing: Standing, name: str) -> list[str]:
    """Return what a person has to know of a mark beside the tasks: lateness, decisions, why there is none."""
    if name in standing.excused:
        return [excuse(standing, name)]
    if name not in standing.milestones:
        return [
            standing.absent.get(name) or standing.waiting.get(name) or standing.problem or "It has no result yet.",
            *told(standing, name),
        ]
    return told(standing, name)


def _total(result: ClassResult, standing: Standing, rows: list[Row]) -> str:
    columns = [row.column for row in rows]
    total, possible = result.total(standing, columns), result.possible_for(standing, columns)
    released = " and released" if standing.drafts else ""
    return f"{words.number(total)} of {words.in_points(possible)} in what is due{released}."
