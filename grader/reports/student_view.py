"""What a student may see of an official run.

Kept: which checks there are, how each ended, its one-line description and the likely mistake in the suite's own words.
Everything else that depends on hidden inputs goes, also where it looks innocent. A line number in a traceback is chosen
by code that has read the input (five hundred lines that raise are nine bits a check), and so is the time that a check
took; the name of a parametrised check may be an input. The same code fails in a practice run, which shows all of it.
"""

from __future__ import annotations

import dataclasses

from grader.record import Check, Milestone, Record, Task
from grader.reports.words import SENTENCE

_NOTE = "An official report shows no values, tracebacks or output; a practice run shows them all."
_PRIVATE_PROBLEM = "This file could not be graded."


def student_view(record: Record) -> Record:
    """Return what the student may see: of an official run outcomes and mistakes, of a practice run everything."""
    if not record.official:
        return record
    return dataclasses.replace(
        record,
        seed="",
        secret_seed=True,
        seconds=0.0,
        notes=record.notes if _NOTE in record.notes else [*record.notes, _NOTE],
        milestones=[_milestone(milestone) for milestone in record.milestones],
    )


def _milestone(milestone: Milestone) -> Milestone:
    problem = (milestone.official_problem or _PRIVATE_PROBLEM) if milestone.problem else milestone.problem
    return dataclasses.replace(
        milestone,
        problem=problem,
        notes=list(milestone.notes),
        tasks=[_task(task) for task in milestone.tasks],
        dice="",
        official_problem="",
    )


def _task(task: Task) -> Task:
    seen: dict[str, int] = {}
    checks = []
    for check in task.checks:
        name, bracket, parameter = check.id.partition("[")
        seen[name] = seen.get(name, 0) + 1
        title = check.title.removesuffix(f" [{parameter}") if bracket else check.title
        checks.append(_check(check, f"{name}[{seen[name]}]" if bracket else name, title))
    return dataclasses.replace(task, checks=checks)


def _check(check: Check, name: str, title: str) -> Check:
    return Check(
        id=name,
        title=title,
        outcome=check.outcome,
        message=SENTENCE[check.outcome],
        mistake=check.mistake,
        blocked_by=check.blocked_by,
    )
