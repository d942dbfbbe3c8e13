"""What rests on what: an earlier task that fails is mostly why a later one does, and is to be mended first."""

from __future__ import annotations

from collections.abc import Iterable

from .record import CRASHED, FAILED, OUT_OF_MEMORY, TIMED_OUT, Milestone, Task

BROKEN = (FAILED, TIMED_OUT, OUT_OF_MEMORY, CRASHED)
REPORT = "If what this rests on passes and you think that your code is right, please report it."  # ends a message


def cause(milestones: Iterable[Milestone], task: Task) -> Task | None:
    """Return the failing task that a failing one rests on, however far beneath; None where there is none.

    The first of its own milestone, since that one says itself what it rests on; else the first of all. `milestones` are
    those of a record, in the course's order.
    """
    if task.outcome not in BROKEN:
        return None
    known = {other.id: other for milestone in milestones for other in milestone.tasks}
    beneath: set[str] = set()
    waiting = list(task.rests_on)
    while waiting:
        name = waiting.pop()
        if name in known and name not in beneath:
            beneath.add(name)
            waiting += known[name].rests_on
    found = [other for other in known.values() if other.id in beneath and other.outcome in BROKEN]
    own = task.id.partition(".")[0]
    return min(found, key=lambda other: other.id.partition(".")[0] != own, default=None)


def resting(milestones: Iterable[Milestone], task: Task) -> list[Task]:
    """Return the failing tasks whose cause is this one."""
    everything = list(milestones)
    return [other for milestone in everything for other in milestone.tasks if cause(everything, other) is task]


def ask_for_no_reports(milestones: Iterable[Milestone]) -> None:
    """Drop the plea to report a failure from the messages of tasks that an earlier task's failure explains."""
    everything = list(milestones)
    for milestone in everything:
        for task in milestone.tasks:
            if cause(everything, task) is not None:
                for check in task.checks:
                    check.message = check.message.replace(f" {REPORT}", "")
