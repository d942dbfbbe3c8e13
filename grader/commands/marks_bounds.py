"""Whether a mark given by hand is one that there can be: not below nothing, and above everything only if meant so."""

from __future__ import annotations

from dataclasses import replace

from grader.classroom.book.decisions import Decision
from grader.classroom.book.standing import ClassResult
from grader.judge.errors import UsageProblem
from grader.reports import words
from grader.syllabus import Syllabus


def check(where: str, decision: Decision, result: ClassResult, whole: Syllabus, bonus: bool) -> None:
    """Raise UsageProblem for an adjustment to less than nothing, and without `bonus` to more than everything.

    `result` is the class before, with the course's points; `whole` is the syllabus, in whose points a task's are.
    """
    most = _most(decision, result, whole)
    if most is None:
        return  # the course has left the milestone out, so that nothing counts
    change = float(decision.value)
    before = 0.0 if decision.value[0] not in "+-" else _before(decision, result, most)
    place = decision.task or decision.milestone[:3]
    has = f"{where}{place} has {words.in_points(most)}{_of_whom(decision, result, most)}"
    if before is None:  # nothing is handed in yet
        if abs(change) > most and not (bonus and change > 0):
            raise UsageProblem(f"{has}, and {decision.value} is more; --bonus lets a mark be above what can be earned.")
    elif before + change < 0:
        raise UsageProblem(
            f"{has}, of which {words.number(before)} are earned: {decision.value} takes off more; 0 sets none."
        )
    elif before + change > most + 1e-9 and not bonus:
        after = words.number(before + change)
        raise UsageProblem(f"{has}, and this makes {after}; --bonus lets a mark be above what can be earned.")


def _most(decision: Decision, result: ClassResult, whole: Syllabus) -> float | None:
    if decision.task:
        return next(task.points for task in whole.milestone(decision.milestone).tasks if task.id == decision.task)
    return next((column.possible for column in result.columns if column.milestone == decision.milestone), None)


def _of_whom(decision: Decision, result: ClassResult, most: float) -> str:
    """Return whose points these are, where a course has others."""
    if not decision.task:
        return ""
    now = [
        task.points for one in result.standings for task in one.tasks(decision.milestone) if task.id == decision.task
    ]
    return " in the syllabus, in whose points a task's are given" if now and abs(now[0] - most) > 1e-9 else ""


def _before(decision: Decision, result: ClassResult, most: float) -> float | None:
    """Return the points that a change is made to: without the adjustment whose place it takes; None where none are."""
    standing = next((one for one in result.standings if one.student.id == decision.student), None)
    if standing is None:
        return None
    others = [one for one in standing.adjustments if (one.milestone, one.task) != (decision.milestone, decision.task)]
    standing = replace(standing, adjustments=others)
    if not decision.task:
        return standing.mark(decision.milestone)
    task = next((task for task in standing.tasks(decision.milestone) if task.id == decision.task), None)
    if task is None:
        return None
    return task.earned / task.points * most if task.points else 0.0
