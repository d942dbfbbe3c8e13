"""Where somebody goes from milestones that have passed: worked out where the course is known, shown by a report."""

from __future__ import annotations

from dataclasses import dataclass

from grader.record import Milestone, Record

FEW = 3  # milestones of which a report says everything, as its table does


@dataclass(frozen=True)
class Onward:
    """The next task or milestone, the capstone once there is enough for it, and what else what passed is good for."""

    name: str = ""  # "m05 A transformer block", "m04.2 Scaled dot-product attention"; empty: there is no other
    module: str = ""
    guide: str = ""
    command: str = ""
    capstone: str = ""  # the command, where it comes next
    more: tuple[tuple[str, str], ...] = ()  # what can be done, and its command


def achievements(record: Record) -> list[tuple[Milestone, str]]:
    """Return what passed milestones have achieved, a sentence each; of many milestones those just graded."""
    few = len(record.milestones) <= FEW
    return [
        (milestone, sentence)
        for milestone in record.milestones
        if milestone.passed and not record.official and (few or not milestone.reused)
        for task in milestone.tasks
        for check in task.checks
        for sentence in check.achieved
    ]
