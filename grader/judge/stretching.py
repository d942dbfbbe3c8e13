"""Measuring a stretch goal: a room's own measure, some rounds of it, each in a worker of its own."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

from grader.sandbox.errors import StudentError, WorkerLost
from grader.submission import Submission
from grader.syllabus import STRETCH, Milestone, Syllabus

from . import compare
from .draw import Draw
from .oracles import Data, Weights
from .outcomes import CheckFailed, GraderError, verdict
from .student import Student
from .supply import load_request, workers_for

ROUNDS = 3
SECONDS, MEMORY_MB = 120.0, 3072  # for a round: longer than any good code takes, on a busy machine too


class NotMeasured(Exception):
    """The student's code did not do what is measured; the text is a sentence or some."""


def figures(
    milestone: Milestone,
    syllabus: Syllabus,
    submission: Submission,
    workers: Any,
    weights: Weights,
    tell: Callable[[int], None] = lambda _: None,
) -> list[float]:
    """Return what each round measures, `tell` hearing of its number before. Raises NotMeasured and GraderError.

    The inputs of a round are those of the same round in every other run, so that runs can be compared.
    """
    measure = _measure(milestone)
    request = load_request(milestone, syllabus, submission.under(milestone, syllabus))
    if workers.level == "inline":
        request["trace"] = []
    workers = workers_for(milestone, syllabus, workers)
    return [_round(milestone, measure, request, workers, weights, number, tell) for number in range(ROUNDS)]


def _round(
    milestone: Milestone,
    measure: Callable[..., float],
    request: dict[str, Any],
    workers: Any,
    weights: Weights,
    number: int,
    tell: Callable[[int], None],
) -> float:
    tell(number)
    limits = milestone.limits.changed(seconds=SECONDS, memory_mb=max(MEMORY_MB, milestone.limits.memory_mb))
    compare.evidence.clear()
    worker = workers.worker(limits)
    worker.set_deadline(limits.seconds)
    try:
        names = worker.conversation.request("load", **request, dice=number)
        student = Student(worker, milestone.id, names)
        found = float(measure(student, Draw("0", f"{milestone.id}::stretch {number}"), Data(), weights))
    except (CheckFailed, StudentError, WorkerLost) as error:
        said = verdict(error, milestone.tasks[-1].id, limits, worker.conversation.answered)
        raise NotMeasured(said.message) from None
    finally:
        worker.end()
    if not math.isfinite(found) or found <= 0:
        raise GraderError(f"the stretch goal of {milestone.id} came to {found}")
    return found


def _measure(milestone: Milestone) -> Callable[..., float]:
    package = milestone.id if milestone.own else f"grader.suites.{milestone.id}"
    if milestone.own:
        sys.path.insert(0, str(milestone.room.parent))
    try:
        measure: Callable[..., float] = importlib.import_module(f"{package}.{STRETCH.removesuffix('.py')}").measure
    finally:
        if milestone.own:
            sys.path.remove(str(milestone.room.parent))
    return measure
