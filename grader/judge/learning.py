"""What a loss did over the steps of a check that learns, as its worker tells it: for a picture, and for no verdict."""

from __future__ import annotations

import contextlib
from typing import Any

from grader.pictures import Bound, Curves, Line, Picture
from grader.sandbox.conversation import Conversation
from grader.sandbox.errors import SandboxError, StudentError, WorkerLost
from grader.sandbox.inside.losses import MOST_POINTS, MOST_RUNS, MOST_STEPS


def told_by(conversation: Conversation) -> tuple[Line, ...]:
    """Return the losses of each run that the check made; none where the worker cannot tell, or tells something else."""
    with contextlib.suppress(StudentError, SandboxError, WorkerLost):
        return read(conversation.request("losses"))
    return ()


def read(told: Any) -> tuple[Line, ...]:
    """Return what is a run in something that a worker calls its losses."""
    found = []
    for run in told if type(told) is list and len(told) <= MOST_RUNS else []:
        match run:
            case [int(steps), list(values)] if type(steps) is int and 2 <= len(values) <= min(steps, MOST_POINTS):
                if steps <= MOST_STEPS and all(type(value) is float for value in values):
                    found.append((steps, tuple(values)))
    names = ["the loss"] if len(found) == 1 else [f"the loss, run {number}" for number in range(1, len(found) + 1)]
    return tuple(Line(name, *run) for name, run in zip(names, found, strict=True))


def beside(bound: Bound, lines: tuple[Line, ...]) -> Picture:
    """Return a bound that was missed, with the losses on the way there, if there are any."""
    return Curves(lines, bound) if lines else bound
