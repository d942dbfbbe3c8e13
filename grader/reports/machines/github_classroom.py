"""The record as GitHub Classroom's autograding reporter takes it: base64 over JSON, one test a task.

The reporter sums `tests[].score` for the notice that Classroom reads, and for the table in the log; a test is a task,
so that partial credit is what the record says. Older versions of the reporter put passed tests over all tests into the
table: there the table is another number, and the notice is still right.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from grader.record import GRADER_ERROR, PASSED, WITHHELD, Milestone, Record, Task
from grader.reports import words
from grader.reports.findings import likely, mend_first, passed_checks, telling_check
from grader.reports.student_view import student_view
from grader.safe_text import one_line, without_ci_commands

from .annotations import Places

LIMIT = 96_000  # bytes; the payload travels in an environment variable, of which Linux takes 131,072
_MESSAGES = (600, 160, 0)  # how long a test's message may be, tried from left to right


def render(record: Record, *, prefix: str = "exercises/", places: Places | None = None) -> str:
    """Return the payload as one line of base64; of an official run it holds the student's view and nothing else.

    Source: autograding-grading-reporter of the organisation classroom-resources, src/main.js, src/notify-classroom.js
    and src/helpers/test-helpers.js.
    """
    encoded = b""
    for limit in _MESSAGES:
        text = json.dumps(payload(record, prefix, places, limit), ensure_ascii=True, allow_nan=False)
        encoded = base64.b64encode(text.encode("ascii"))
        if len(encoded) <= LIMIT:
            break
    return encoded.decode("ascii") + "\n"


def payload(
    record: Record, prefix: str = "exercises/", places: Places | None = None, message: int = _MESSAGES[0]
) -> dict[str, Any]:
    """Return the payload as plain data; `message` is the longest message of a test in characters.

    Tasks whose checks run elsewhere are left out, points and all: they neither passed nor failed.
    """
    record = student_view(record)
    judged = [(m, task) for m in record.milestones for task in m.tasks if task.outcome != WITHHELD]
    tests = [_test(record, milestone, task, prefix, places or {}, message) for milestone, task in judged]
    statuses = {test["status"] for test in tests}
    status = "error" if "error" in statuses or not tests else "fail" if "fail" in statuses else "pass"
    return {
        "version": 1,
        "status": status,
        "max_score": _points(sum(task.points for _, task in judged)),
        "tests": tests,
    }


def _test(record: Record, milestone: Milestone, task: Task, prefix: str, places: Places, limit: int) -> dict[str, Any]:
    file, line = places.get(task.id, (f"{milestone.id}.py", 0))
    passed = task.outcome == PASSED
    return {
        "name": _inert(f"{task.id} {task.title}", 120),
        "status": "pass" if passed else "error" if task.outcome == GRADER_ERROR else "fail",
        "score": _points(task.earned),
        "message": None if passed or not limit else _message(record, milestone, task, limit),
        "test_code": f"python -m grader grade {words.short(milestone.id)}",
        "filename": _inert(prefix + file, 300),
        "line_no": line,
        "duration": round(sum(check.seconds for check in task.checks) * 1000),
    }


def _message(record: Record, milestone: Milestone, task: Task, limit: int) -> str:
    check = telling_check(task)
    parts = [f"{words.finding(task, check).capitalize()}, {passed_checks(task)} of {len(task.checks)} checks pass."]
    if milestone.problem is not None:
        parts.append(milestone.problem)
    elif check is not None:
        parts.append(f"Checked: {check.title}")
        parts.append((check.message.strip() or words.SENTENCE[check.outcome]).splitlines()[0])
        if check.mistake:
            parts.append(f"{likely(record.milestones, task)}: {check.mistake.rstrip('.')}.")
        if first := mend_first(record.milestones, task):
            parts.append(first)
    return _inert(" ".join(parts), limit)


def _inert(text: str, limit: int) -> str:
    """Return one line that no step of a workflow takes for a command: the reporter prints it into the log."""
    return without_ci_commands(one_line(text, limit))


def _points(points: float) -> float:
    rounded = round(points, 4)
    return int(rounded) if rounded == int(rounded) else rounded
