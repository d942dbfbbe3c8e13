"""A class task by task: a row for each student and task, for a spreadsheet or a script of one's own."""

from __future__ import annotations

from grader import record
from grader.classroom.book.standing import ClassResult, Standing
from grader.reports import words
from grader.reports.findings import passed_checks, telling_check

from .sheets import Export, Sheet, render_sheet, words_cell

HEADER = [
    "student_id", "name", "email", "milestone", "task", "title", "outcome", "earned", "possible", "checks_passed",
    "checks", "mistake", "milestone_earned", "taken_off", "counting",
]  # fmt: skip


def render(result: ClassResult) -> Export:
    """Return the CSV file. Points are a task's; what its milestone earned, loses and counts stands in each row."""
    rows = []
    known = tasks(result)
    for standing in result.standings:
        who = [words_cell(part) for part in (standing.student.id, standing.student.name, standing.student.email)]
        for column in result.columns:
            for task in known.get(column.milestone, []):
                rows.append(
                    [
                        *who,
                        column.milestone,
                        words_cell(task.id),
                        words_cell(task.title),
                        *_cells(standing, task),
                        *_counting(standing, column.milestone),
                    ]
                )
    return Export(render_sheet(Sheet(HEADER, rows)))


def tasks(result: ClassResult) -> dict[str, list[record.Task]]:
    """Return the tasks of each milestone, as anybody's result names them."""
    known: dict[str, dict[str, record.Task]] = {}
    for standing in result.standings:
        for milestone in standing.milestones.values():
            for task in milestone.tasks:
                known.setdefault(milestone.id, {}).setdefault(task.id, task)
    return {milestone: sorted(found.values(), key=lambda task: task.id) for milestone, found in known.items()}


def own(standing: Standing, task: record.Task) -> record.Task | None:
    """Return a student's own result of a task, with what a person made of its points."""
    return next((t for name in standing.milestones for t in standing.tasks(name) if t.id == task.id), None)


def _counting(standing: Standing, milestone: str) -> list[str]:
    """Return what a milestone earned, what lateness takes off, and what counts; empty where there is none."""
    has = milestone in standing.milestones
    failed = has and not standing.is_decided(milestone)  # the grader, so that its 0 is nobody's
    counts = None if failed else standing.mark(milestone)
    return [
        _exact(standing.raw(milestone)) if has else "",
        _exact(standing.penalties.get(milestone, 0.0)) if has else "",
        "excused" if milestone in standing.excused else "" if counts is None else words.number(counts),
    ]


def _exact(points: float) -> str:
    """Return points with as many decimals as it takes for tasks to add up to their milestone in a spreadsheet."""
    return f"{round(points, 6):.12g}"


def _cells(standing: Standing, task: record.Task) -> list[str]:
    found = own(standing, task)
    possible = _exact(task.points)
    if found is None:
        return ["no result", "", possible, "", "", ""]
    check = telling_check(found)
    return [
        words.OUTCOME[found.outcome],
        _exact(found.earned),
        possible,
        str(passed_checks(found)),
        str(len(found.checks)),
        words_cell(check.mistake) if check is not None and check.mistake else "",
    ]
