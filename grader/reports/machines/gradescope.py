"""The record as Gradescope's results.json.

A test is a task, since points are earned by the task. All output is plain text, which Gradescope puts into a <pre>: a
submission's words are shown there and obeyed nowhere.
"""

from __future__ import annotations

import json
from typing import Any

from grader.record import GRADER_ERROR, PASSED, WITHHELD, Check, Milestone, Record, Task
from grader.reports import words
from grader.reports.findings import likely, mend_first, passed_checks, telling_check
from grader.reports.student_view import student_view
from grader.safe_text import clean, excerpt, one_line

VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
_OUTPUT = 4_000


def render(record: Record, *, visibility: str = "visible") -> str:
    """Return results.json; of an official run it holds the student's view and nothing else.

    Source: gradescope-autograders.readthedocs.io, "Autograder Specifications", sections "Output format",
    "Test Case Status", "Output String Formatting" and "Controlling Test Case Visibility".
    """
    return json.dumps(results(record, visibility), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def results(record: Record, visibility: str = "visible") -> dict[str, Any]:
    """Return the content of results.json as plain data; ValueError for a visibility that Gradescope does not know."""
    if visibility not in VISIBILITIES:
        raise ValueError(f"Gradescope knows no visibility {visibility!r}; it has {', '.join(VISIBILITIES)}")
    record = student_view(record)
    tests = [
        _test(record, milestone, task)
        for milestone in record.milestones
        for task in milestone.tasks
        if task.outcome != WITHHELD  # it is judged elsewhere, so it neither passed nor failed
    ]
    plain: dict[str, Any] = {
        "score": _points(record.earned),  # stated, so that rounded scores of the tests can't change the sum
        "output": _head(record),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {
            "grader": record.grader,
            "isolation": record.isolation,
            "sources": {milestone.id: milestone.sources for milestone in record.milestones},
        },
    }
    if record.seconds > 0:
        plain["execution_time"] = round(record.seconds, 3)
    return plain


def _test(record: Record, milestone: Milestone, task: Task) -> dict[str, Any]:
    return {
        "score": _points(task.earned),
        "max_score": _points(task.points),
        "status": "passed" if task.outcome == PASSED else "failed",
        "number": one_line(task.id),
        "name": one_line(task.title),
        "output": _explanation(record, milestone, task),
        "tags": [one_line(milestone.id)],
    }


def _head(record: Record) -> str:
    lines = [f"{words.kind(record).capitalize()}: {words.score(record.earned, record.possible)} points."]
    lines += [one_line(note, 600) for note in record.notes]
    if record.withheld:
        lines.append(words.to_come(record))
    for milestone in record.milestones:
        if milestone.problem is not None:
            lines.append(f"{one_line(milestone.id)}.py could not be graded: {one_line(milestone.problem, 600)}")
        lines += [f"{words.short(milestone.id)}: {one_line(note, 600)}" for note in milestone.notes]
    if record.grader_at_fault:
        lines.append("The grader made a mistake in some checks; the instructor has to run this again.")
    if not record.milestones:
        lines.append("Nothing was graded.")
    return "\n".join(lines)


def _explanation(record: Record, milestone: Milestone, task: Task) -> str:
    check = telling_check(task)
    passed = f"{passed_checks(task)} of {len(task.checks)} checks pass."
    if check is None:
        return passed if task.checks else "This task has no checks, so it could not be graded."
    lines = [f"{words.finding(task, check).capitalize()}. {passed}", f"Checked: {one_line(check.title, 600)}"]
    lines.append(excerpt(check.message.strip() or words.SENTENCE[check.outcome], 2_000, 24))
    if check.outcome == GRADER_ERROR:
        lines.append("The grader made a mistake here, not you.")
    if check.mistake:
        lines.append(f"{likely(record.milestones, task)}: {one_line(check.mistake, 600).rstrip('.')}.")
    if first := mend_first(record.milestones, task):
        lines.append(first)
    lines += _where(check)
    if check.output.strip():
        lines += ["It printed:", excerpt(check.output, _OUTPUT, 60)]
    lines.append(f"Read {one_line(milestone.id)}.md, section {one_line(task.id)}.")
    return clean("\n".join(lines))


def _where(check: Check) -> list[str]:
    return [
        f"{one_line(frame.file)}:{frame.line}, in {one_line(frame.function, 80)}: {one_line(frame.source, 200)}"
        for frame in check.traceback[-6:]
    ]


def _points(points: float) -> float:
    """Return points as a plain number of at most four decimals, whole ones without a fraction."""
    rounded = round(points, 4)
    return int(rounded) if rounded == int(rounded) else rounded
