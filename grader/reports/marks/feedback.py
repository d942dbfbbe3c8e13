"""What a student reads beside a mark in an LMS: points, what is unfinished, the likely mistake."""

from __future__ import annotations

from grader.classroom.book.standing import Standing
from grader.record import PASSED
from grader.reports import words
from grader.reports.findings import likely, mend_first, passed_checks, telling_check
from grader.safe_text import one_line


def feedback(standing: Standing, milestone: str) -> str:
    """Return the feedback for one milestone as sentences on one line, in the suite's own words.

    It is the same for practice and official runs: no message, traceback or output, which could hold an input.
    """
    result = standing.milestones.get(milestone)
    if result is None:
        return "Nothing was graded."
    parts = [f"{words.number(result.earned)} of {words.in_points(result.possible)}."]
    if penalty := standing.penalties.get(milestone, 0.0):
        late = words.number(min(penalty, result.earned))
        parts.append(f"{late} taken off for lateness, which leaves {words.number(standing.score(milestone))}.")
    if result.problem is not None:
        return " ".join([*parts, "The file could not be graded; run the grader yourself to see why."])
    for task in result.tasks:
        check = telling_check(task)
        if task.outcome == PASSED or check is None:
            continue
        passed = f"{passed_checks(task)} of {len(task.checks)} checks pass"
        parts.append(f"{task.id} {task.title}: {words.finding(task, check)}, {passed}.")
        in_order = sorted(standing.milestones.values(), key=lambda milestone: milestone.id)
        if check.mistake:
            parts.append(f"{likely(in_order, task)}: {one_line(check.mistake).rstrip('.')}.")
        if first := mend_first(in_order, task):
            parts.append(first)
    return one_line(" ".join(parts), 4000)
