"""Grading one submission in a judge that stays warm: the same job here and on every worker of a cluster."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import own_rooms, record, syllabus
from grader.judge.checkpoints.places import LLAMA_NANO
from grader.judge.fingerprint import grader_version
from grader.judge.oracles import Weights
from grader.practice import seed_hash
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
    rooms: own_rooms.Rooms = ()  # that the course brings
    weights_llama: str = LLAMA_NANO

    def conditions(self) -> str:
        """Return what a result depends on besides sources and grader; of a secret seed only its hash."""
        known = {
            "device": self.device,
            "isolation": self.isolation,
            "official": self.official,
            "prerequisites": self.prerequisites,
            "seed": seed_hash(self.seed) if self.secret else self.seed,
            "weights": self.weights,
        }
        # Left out where it is the usual one: what was graded before there was another counts as it is.
        llama = {} if self.weights_llama == LLAMA_NANO else {"weights_llama": self.weights_llama}
        return json.dumps(known | llama)


@dataclass(frozen=True)
class Job:
    """Milestones of one submission that are graded in one go."""

    number: int
    submission: Submission
    milestones: tuple[str, ...]


SPARE_SECONDS = 120.0  # that a judge may take beyond twice what the checks' limits are in all
CHECK_SECONDS = 2.0  # to start and clear up for one check


@dataclass(frozen=True)
class Plan:
    """The checks of a job, fixed before any student code runs, and how many seconds grading it may take."""

    checks: tuple[tuple[str, str, str, str], ...]  # milestone, task, id, title
    seconds: float


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
        self.weights = weights or Weights(setup.weights, setup.weights_llama, getattr(workers, "checkpoints", None))
        self.workers = self._alone(workers or self._new_workers())
        self._folder = tempfile.TemporaryDirectory(prefix="scratchwork-rooms-") if setup.rooms else None
        folder = Path(self._folder.name if self._folder else "")  # root's or the judge's alone, as mkdtemp makes it
        self._course = own_rooms.unpacked(setup.rooms, folder, syllabus.load())

    def start(self) -> None:
        """Wait until the sandbox stands. Raises SandboxError."""
        self.workers.wait()

    def close(self) -> None:
        """End the sandbox."""
        self.workers.close()
        if self._folder:
            self._folder.cleanup()

    def grade(self, job: Job, tell: Callable[[Plan], None] | None = None) -> Graded:
        """Grade a job; whatever goes wrong in the grader is a fault of that job. `tell` hears of the checks first.

        Raises SandboxError when there is no sandbox any more, and KeyboardInterrupt.
        """
        started = time.perf_counter()
        done = self._done(job, tell)
        done.seconds = time.perf_counter() - started
        return done

    def _done(self, job: Job, tell: Callable[[Plan], None] | None) -> Graded:
        done = Graded(job.number, grader_version(own_rooms.packed(self._course)))
        try:
            result = self._graded(job, tell)
        except SandboxError:
            # A sandbox that has broken down is none of the submission's business: once more, in a new one.
            self.workers.close()
            self.workers = self._alone(self._new_workers())
            self.start()
            result = self._graded(job, tell)
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

    def _graded(self, job: Job, tell: Callable[[Plan], None] | None) -> record.Record:
        from grader.judge.grading import grade
        from grader.judge.planned import Options

        setup = self.setup
        options = Options(list(job.milestones), None, setup.prerequisites, setup.device, setup.seed, setup.secret)
        planned = (lambda checks: tell(_plan(checks))) if tell else None
        return grade(options, self._course, job.submission, self.workers, self.weights, planned=planned)

    def _new_workers(self) -> Any:
        workers = levels.choose(self.setup.isolation, self.setup.device, lambda note: None)
        workers.checkpoints = self.weights.to_mount(self.setup.isolation)
        return workers

    @staticmethod
    def _alone(workers: Any) -> Any:
        """Keep to one core: loading the next check's worker beside this one would take another judge's."""
        workers.side_by_side = False
        return workers


def _plan(planned: list[Any]) -> Plan:
    checks = tuple((check.milestone.id, check.task.id, check.id, check.title) for check in planned)
    limits = sum(check.limits.seconds + CHECK_SECONDS for check in planned)
    return Plan(checks, 2 * limits + SPARE_SECONDS)


def timed_out(job: Job, plan: Plan, course: syllabus.Syllabus, grader: str, seconds: float) -> Graded:
    """Return the result of a job that took its judge too long: every check is out of time, and nothing is earned."""
    made = record.Record(grader, "", "", "", "")
    message = f"Grading this took longer than {plan.seconds:.0f} s in all, and was ended."
    each = round(seconds / max(1, len(plan.checks)), 4)
    for name in job.milestones:
        milestone = course.milestone(name)
        result = record.Milestone(name, milestone.title, sources=job.submission.digest(course.with_uses(milestone)))
        for task in milestone.tasks:
            checks = [
                record.Check(id, title, record.TIMED_OUT, seconds=each, message=message)
                for of, belongs, id, title in plan.checks
                if of == name and belongs == task.id
            ]
            result.tasks.append(record.Task(task.id, task.title, task.points, checks=checks, withheld=task.withheld))
        made.milestones.append(result)
    plain = record.to_json(made)["milestones"]
    return Graded(job.number, grader, milestones=plain, seconds=seconds)


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
