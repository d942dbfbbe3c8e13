"""What a run is asked for, and the checks that it was found to consist of."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from grader import record
from grader.pictures import Line
from grader.sandbox.errors import WorkerLost
from grader.sandbox.limits import Limits
from grader.sandbox.requests import Requests
from grader.syllabus import Milestone, Task

from .calls import Calls


@dataclass
class Options:
    """What was asked for."""

    milestones: list[str]  # ids
    only: set[str] | None = None  # names of checks; None: all of them
    prerequisites: str = "submission"
    device: str = "cpu"
    seed: str = "0"
    secret_seed: bool = False
    debug: bool = False
    rewarding: bool = False  # whether what was achieved is kept: for whoever practises, and nobody else
    judges: int = 1  # that a long run may have side by side
    tasks: set[str] | None = None  # ids; None: all of the milestones'
    keep_calls: bool = False  # whether a failing check's calls are written down; never where a seed is secret
    dice: dict[str, str] = field(default_factory=dict)  # milestone -> what its workers' dice are drawn from

    def __post_init__(self) -> None:
        """Draw what the workers' dice are drawn from, where none is given, from nothing that a secret seed is in.

        A worker sees how its dice fall, and can say so: from the seed they would let anybody try guesses of it. Of a
        public seed there is nothing to hide, and an empty string stands for the seed itself.
        """
        self.keep_calls = self.keep_calls and not self.secret_seed and self.prerequisites == "submission"
        for milestone in self.milestones:
            self.dice.setdefault(milestone, secrets.token_hex(16) if self.secret_seed else "")


@dataclass
class Planned:
    """A check that was collected, fixed before any student code runs."""

    milestone: Milestone
    task: Task
    id: str
    title: str
    limits: Limits
    warm: tuple[str, ...] = ()
    position: int = 0  # in the run
    elsewhere: bool = False  # whether another judge has taken it
    order: int = 0  # in the suites, whoever runs it
    results: list[record.Check] = field(default_factory=list)
    calls: Calls | None = None  # of the first check of a task that fails, what it called

    # While it runs:
    error: BaseException | None = None
    answered: bool = False
    output: str = ""
    shortcuts: list[str] = field(default_factory=list)
    over: WorkerLost | None = None
    requests: Requests | None = None
    losses: tuple[Line, ...] = ()  # of a failed check whose worker was asked for them
    names: dict[str, Any] = field(default_factory=dict)  # that the worker has told when it loaded the module
    heavy: bool = False  # whether its answers are worth clearing away at once
    evidence: set[str] = field(default_factory=set)
    achieved: list[str] = field(default_factory=list)
    started: float = 0.0
