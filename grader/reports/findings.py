"""What a report points at: for each task the check that tells most, and the one next thing to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from grader.record import BLOCKED, GRADER_ERROR, NOT_STARTED, PASSED, WITHHELD, Check, Milestone, Record, Task
from grader.resting import cause

MODULE = re.compile(r"[mx][0-9]{2}_[a-z0-9]+")


@dataclass(frozen=True)
class Step:
    """The next thing to do: a task, or the milestone's file as a whole."""

    milestone: Milestone
    task: Task | None = None


def telling_check(task: Task) -> Check | None:
    """Return the first unfinished check that ran; then one that the grader failed at; then one that never ran."""
    unfinished = [check for check in task.checks if check.outcome != PASSED]
    ran = [check for check in unfinished if check.outcome not in (NOT_STARTED, BLOCKED)]
    decided = [check for check in ran if check.outcome != GRADER_ERROR]
    return next(iter(decided or ran or unfinished), None)


def passed_checks(task: Task) -> int:
    """Return how many of the task's checks passed."""
    return sum(check.outcome == PASSED for check in task.checks)


def worth_explaining(task: Task) -> bool:
    """Say whether a report spends a paragraph on the task: not on passed, blocked, withheld or untouched ones."""
    if task.outcome == NOT_STARTED:
        return passed_checks(task) > 0
    return task.outcome not in (PASSED, BLOCKED, WITHHELD)


def mend_first(milestones: list[Milestone], task: Task) -> str:
    """Return the sentence that names the earlier task whose failure is likely why this one fails, or nothing."""
    first = cause(milestones, task)
    return f"{first.id} fails, and this rests on it: mend that first." if first is not None else ""


def likely(milestones: list[Milestone], task: Task) -> str:
    """Return the words before a likely mistake's name: where an earlier failure may be why, they leave that open.

    What stands on something wrong gives values that resemble other mistakes than the one made.
    """
    first = cause(milestones, task)
    return "Likely mistake" if first is None else f"Likely mistake, unless {first.id} is why"


def from_elsewhere(milestone: Milestone, check: Check) -> str:
    """Return the name of another milestone's file that an error came out of, without its ending, or nothing."""
    file = check.traceback[-1].file if check.traceback else ""
    module = file.removesuffix(".py")
    return module if file.endswith(".py") and MODULE.fullmatch(module) and module != milestone.id else ""


def nothing_started(record: Record) -> bool:
    """Say whether these are the stubs as they were handed out."""
    return not _problems(record) and _all_untouched(record.milestones)


def untouched(milestone: Milestone) -> bool:
    """Say whether a milestone's file is the stub as it was handed out.

    A check is blocked only where something was written: of a file in which nothing is, all are not started.
    """
    return milestone.problem is None and _all_untouched([milestone])


def _all_untouched(milestones: list[Milestone]) -> bool:
    outcomes = {check.outcome for milestone in milestones for task in milestone.tasks for check in task.checks}
    return outcomes == {NOT_STARTED}


def next_step(record: Record) -> Step | None:
    """Return the first unfinished thing in the syllabus's order; None if there is nothing for a student to do."""
    here = {task.id for milestone in record.milestones for task in milestone.tasks}
    waiting: Step | None = None
    for milestone in record.milestones:
        if milestone.problem is not None:
            return Step(milestone)
        for task in milestone.tasks:
            if task.outcome in (PASSED, GRADER_ERROR, WITHHELD):
                continue
            if task.outcome != BLOCKED or blocker(task) not in here:
                return Step(milestone, task)
            waiting = waiting or Step(milestone, task)
    return waiting


def blocker(task: Task) -> str | None:
    """Return the id of the task that this one waits for."""
    return next((check.blocked_by for check in task.checks if check.blocked_by), None)


def _problems(record: Record) -> bool:
    return any(milestone.problem for milestone in record.milestones)
