"""Grading one submission in a judge that stays warm: the same job here and on every worker of a cluster."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from grader import record, syllabus
from grader.judge.fingerprint import grader_version
from grader.judge.oracles import Weights
from grader.practice import checkpoint, seed_hash
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError
from grader.submission import Submission


@dataclass(frozen=True)
class Setup:
    """What a batch is graded with, the same for everybody."""

    grader: str  # its version and hash
    isolation: str
    device: str
    weights: str
    prerequisites: str
    official: bool
    seed: str
    secret: bool

    def conditions(self) -> str:
        """Return what a result depends on besides sources and grader; of a secret seed only its hash."""
        return json.dumps(
            {
                "device": self.device,
                "isolation": self.isolation,
                "official": self.official,
                "prerequisites": self.prerequisites,
                "seed": seed_hash(self.seed) if self.secret else self.seed,
                "weights": self.weights,
            }
        )


@dataclass(frozen=True)
class Job:
    """Milestones of one submission that are graded in one go."""

    number: int
    submission: Submission
    milestones: tuple[str, ...]


@dataclass
class Graded:
    """What became of a job, as plain data."""

    number: int
    grader: str
    milestones: list[dict[str, Any]] = field(default_factory=list)  # as in a record's JSON
    faults: dict[str, str] = field(default_factory=dict)  # milestone id -> why there is no result, in one sentence
    seconds: float = 0.0


class WarmJudge:
    """A judge with its sandbox, kept from one job to the next."""

    def __init__(self, setup: Setup, workers: Any = None, weights: Weights | None = None) -> None:
        self.setup = setup
        self.weights = weights or Weights(setup.weights)
        self.workers = self._alone(workers or self._new_workers())
        self._course = syllabus.load()

    def start(self) -> None:
        """Wait until the sandbox stands. Raises SandboxError."""
        self.workers.wait()

    def close(self) -> None:
        """End the sandbox."""
        self.workers.close()

    def grade(self, job: Job) -> Graded:
        """Grade a job; whatever goes wrong in the grader is a fault of that job.

        Raises SandboxError when there is no sandbox any more, and KeyboardInterrupt.
        """
        started = time.perf_counter()
        done = self._done(job)
        done.seconds = time.perf_counter() - started
        return done

    def _done(self, job: Job) -> Graded:
        done = Graded(job.number, grader_version())
        try:
            result = self._graded(job)
        except SandboxError:
            # A sandbox that has broken down is none of the submission's business: once more, in a new one.
            self.workers.close()
            self.workers = self._alone(self._new_workers())
            self.start()
            result = self._graded(job)
        except Exception as error:  # also what nobody thought of: one submission never ends the batch
            reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
            done.faults = {
                name: f"{name[:3]} was not graded: a fault of the grader ({reason})." for name in job.milestones
            }
            return done
        for milestone, plain in zip(result.milestones, record.to_json(result)["milestones"], strict=True):
            if fault := fault_of(milestone):
                done.faults[milestone.id] = fault
            else:
                done.milestones.append(plain)
        return done

    def _graded(self, job: Job) -> record.Record:
        from grader.judge.grading import grade
        from grader.judge.planned import Options

        setup = self.setup
        options = Options(list(job.milestones), None, setup.prerequisites, setup.device, setup.seed, setup.secret)
        return grade(options, self._course, job.submission, self.workers, self.weights)

    def _new_workers(self) -> Any:
        workers = levels.choose(self.setup.isolation, self.setup.device, lambda note: None)
        workers.checkpoint = checkpoint(self.weights, self.setup.isolation)
        return workers

    @staticmethod
    def _alone(workers: Any) -> Any:
        """Keep to one core: loading the next check's worker beside this one would take another judge's."""
        workers.side_by_side = False
        return workers


def fault_of(milestone: record.Milestone) -> str:
    """Return why a milestone's result is none, in one sentence: the grader was at fault in it. Empty: it is one."""
    for task in milestone.tasks:
        if not task.checks and task.outcome == record.GRADER_ERROR:
            return f"{task.id} was not graded: its suite has no check for it, which is a fault of the grader."
        for check in task.checks:
            if check.outcome == record.GRADER_ERROR:
                reason = check.message.splitlines()[0][:300] if check.message else "no reason given"
                return f"{task.id} was not graded: a fault of the grader in {check.id} ({reason})."
    return ""
