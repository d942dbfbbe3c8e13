"""One graded run: which checks there are, which worker serves them, how each ended, and the record of it all."""

from __future__ import annotations

import builtins
import contextlib
import functools
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from grader import record
from grader.sandbox.errors import SandboxError, StudentError, WorkerLost
from grader.sandbox.limits import Limits
from grader.sandbox.packages import REFUSED
from grader.submission import Submission
from grader.syllabus import Milestone, Syllabus, Task

from . import compare
from .ahead import Ahead, Job, Loaded
from .draw import Draw
from .oracles import Data, Weights
from .outcomes import Verdict, lost, verdict
from .preflight import Preflight, inspect
from .student import Student


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


HEAVY_MB = 16


class Listener(Protocol):
    """Who is told as the run goes on."""

    def start(self, total_checks: int) -> None:
        """The list of checks is fixed."""

    def check_started(self, milestone: str, task: str, title: str) -> None:
        """A check begins."""

    def check_ended(self, check: record.Check) -> None:
        """A check has its outcome."""


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
    results: list[record.Check] = field(default_factory=list)

    # While it runs:
    error: BaseException | None = None
    answered: bool = False
    output: str = ""
    shortcuts: list[str] = field(default_factory=list)
    over: WorkerLost | None = None
    heavy: bool = False  # whether its answers are worth clearing away at once
    evidence: set[str] = field(default_factory=set)
    started: float = 0.0


class Run:
    """Everything that one run knows. The pytest plugin drives it."""

    def __init__(
        self,
        options: Options,
        syllabus: Syllabus,
        submission: Submission,
        workers: Any,
        weights: Weights,
        listener: Listener | None = None,
    ) -> None:
        self.options, self.syllabus, self.submission = options, syllabus, submission
        self.workers, self.weights, self.data, self.listener = workers, weights, Data(), listener
        self.planned: list[Planned] = []
        self._preflights: dict[str, Preflight] = {}
        self.fault = ""  # what went wrong in pytest itself, if anything
        self._kept: tuple[str, Any] | None = None  # the worker in use: milestone, worker
        self._ahead = Ahead()
        self._inspecting: dict[str, Job] = {}  # the preflights that are under way beside a check

    # ── checks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, check: Planned) -> None:
        """Note that a check starts."""
        check.started = time.perf_counter()
        compare.evidence.clear()
        if self.listener:
            self.listener.check_started(check.milestone.id, check.task.id, check.title)

    def problem(self, check: Planned) -> Verdict | None:
        """Return why no check of this milestone can run, or None. The first call looks at the submission's file."""
        milestone = check.milestone
        if milestone.id not in self._preflights:
            try:
                if job := self._inspecting.pop(milestone.id, None):
                    self._preflights[milestone.id] = job.result.result()
                else:
                    self._preflights[milestone.id] = self._inspect(milestone, lambda warm: self._fresh(milestone, warm))
            except SandboxError as error:
                return verdict(error, "", milestone.limits, answered=False)
            finally:
                self._release(failed=False)
        found = self._preflights[milestone.id]
        return Verdict(record.NOT_STARTED, "Not implemented yet.") if found.untouched else found.problem

    def _inspect(self, milestone: Milestone, make_worker: Callable[[tuple[str, ...]], Any]) -> Preflight:
        load = {**self.load_request(milestone), "dice": self._dice(milestone.id)}
        return inspect(milestone, self.syllabus, self.submission, make_worker, load)

    def finish(self, check: Planned, given: Verdict | None = None) -> None:
        """Give a check its outcome."""
        result = given or self._verdict(check)
        if self.options.prerequisites == "solutions" and given is None:
            result = self._discreet(check, result)
        sources = self.submission.sources
        frames = [
            record.Frame(file, line, function, source_line(sources, file, line))
            for file, line, function in result.frames
        ]
        ended = record.Check(
            id=check.id,
            title=check.title,
            outcome=result.outcome,
            evidence=sorted(check.evidence),
            seconds=round(time.perf_counter() - check.started, 4),
            message=result.message,
            mistake=result.mistake,
            blocked_by=result.blocked_by,
            traceback=frames,
            output="" if self.options.prerequisites == "solutions" else check.output,
        )
        check.results.append(ended)
        check.error = check.over = None  # its traceback holds on to whatever the student's code returned
        if self.listener:
            self.listener.check_ended(ended)

    @staticmethod
    def clear_away(check: Planned) -> None:
        """Free large answers now: a failed check's exception and frames refer to each other until collected."""
        if check.heavy:
            gc.collect()

    @staticmethod
    def _discreet(check: Planned, result: Verdict) -> Verdict:
        """Leave out what the student's code raised or returned: it may have read it out of the solutions."""
        if isinstance(check.error, WorkerLost):
            return replace(result, message="Your code sent nonsense.") if check.error.nonsense else result
        if check.error is None or result.outcome != record.FAILED:
            return result
        if isinstance(check.error, StudentError):
            return replace(result, message=f"Your code raised {known_exception(check.error)}.")
        return replace(result, message="What came back is not what this check asks for.")

    def _verdict(self, check: Planned) -> Verdict:
        if check.error is not None:
            return self._believable(check, verdict(check.error, check.task.id, check.limits, check.answered))
        if check.over is not None:
            return lost(check.over, check.limits)
        used = self._preflights[check.milestone.id].shortcut(check.task) or next(iter(check.shortcuts), None)
        if used:
            return Verdict(
                record.FAILED,
                f"Your code uses {used}, which is what this milestone builds; write it out with simpler operations.",
                mistake=f"a library does the work ({used})",
            )
        return Verdict(record.PASSED)

    def _believable(self, check: Planned, result: Verdict) -> Verdict:
        """Take no excuse but a task that this milestone can build on: which one is named could tell of an input."""
        if not result.blocked_by:
            return result
        names = self.syllabus.with_uses(check.milestone)
        beside = [milestone for milestone in self.syllabus.milestones if milestone.id in names]
        if any(task.id == result.blocked_by for milestone in beside for task in milestone.tasks):
            return result
        return Verdict(record.FAILED, f"Your code raised {check.error}")

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def student(self, check: Planned) -> Iterator[Student]:
        """Give a check the submission's module in a worker, and take back what happened there."""
        loaded = self._ahead.take(self._wanted(check)) or self._load(check, self._worker_for(check))
        worker, conversation = loaded.worker, loaded.worker.conversation
        self._kept = (check.milestone.id, worker)
        if self.workers.side_by_side:
            self.workers.draw_near(worker)
            self._look_ahead(check)
        try:
            if loaded.failure is not None:
                raise loaded.failure
            yield Student(worker, check.milestone.id, worker.names)
        finally:
            check.answered = conversation.answered
            check.evidence = set(compare.evidence)
            with contextlib.suppress(Exception):  # a claim that can only withhold points; a dead worker has none
                names = conversation.request("shortcuts")
                check.shortcuts = [name for name in names if name in check.milestone.shortcuts]
            # A shortcut stays seen in its worker, and is nothing that the next check should be told of.
            self._release(failed=check.error is not None or worker.limit_broken is not None or bool(check.shortcuts))
            check.output = worker.output[loaded.printed :]
            check.heavy = getattr(worker, "answered_mb", 0.0) > HEAVY_MB
            if worker.limit_broken and not isinstance(check.error, WorkerLost):
                check.over = WorkerLost(limit=worker.limit_broken)

    def _load(self, check: Planned, worker: Any) -> Loaded:
        """Load the submission for a check, unless this worker has it already."""
        loaded = Loaded(worker, printed=len(worker.output))
        worker.set_deadline(check.limits.seconds)
        dice = self._dice(f"{check.milestone.id}::{check.id}")
        try:
            if getattr(worker, "loaded", False):  # one that serves a whole milestone: each check has dice of its own
                worker.conversation.request("roll", dice=dice)
            else:
                worker.names = worker.conversation.request("load", **self.load_request(check.milestone), dice=dice)
                worker.loaded = True
            worker.conversation.answered = False
        except (StudentError, WorkerLost) as error:
            loaded.failure = error
        return loaded

    def _dice(self, name: str) -> int:
        return Draw(self.options.seed, f"{name} in the worker").random.getrandbits(32)

    def _look_ahead(self, check: Planned) -> None:
        """Have the next checks' workers made ready beside this one, where none can touch another."""
        for following in self.planned[check.position + 1 :][: self._ahead.depth]:
            milestone = following.milestone
            if milestone.id not in self._preflights:
                job = self._inspecting.get(milestone.id)
                if job is None:
                    self._inspecting[milestone.id] = self._ahead.begin(
                        functools.partial(self._inspect_beside, milestone)
                    )
                if job is None or not job.result.done() or job.result.exception():
                    break
                self._preflights[milestone.id] = job.result.result()
            if self._preflights[milestone.id].ready:
                self._ahead.prepare(self._wanted(following), functools.partial(self._load_beside, following))

    def _inspect_beside(self, milestone: Milestone, job: Job) -> Preflight:
        def fresh(warm: tuple[str, ...]) -> Any:
            if job.worker is not None:
                job.worker.end()
            job.worker = self.workers.worker(milestone.limits, warm)
            if not job.wanted:
                job.worker.kill()
            return job.worker

        self.workers.make_room()
        try:
            return self._inspect(milestone, fresh)
        finally:
            if job.worker is not None:
                job.worker.end()

    def _load_beside(self, check: Planned, job: Job) -> Loaded:
        self.workers.make_room()
        job.worker = self.workers.worker(*self._needs(check))
        job.worker.hold_back(self._ahead.room())
        return self._load(check, job.worker) if job.wanted else Loaded(job.worker)

    def load_request(self, milestone: Milestone) -> dict[str, Any]:
        """Return the request that loads a milestone's module with what it is made of."""
        request = load_request(milestone, self.syllabus, self.submission)
        if milestone.id in self._preflights:
            request["compiled"] = self._preflights[milestone.id].compiled
        if self.workers.level == "inline":
            request["trace"] = []  # the judge's own oracles live in the same process
        return request

    def _wanted(self, check: Planned) -> Any:
        """Return what a worker must have been made for to serve a check: limits may change at the last moment."""
        return check.position, self._needs(check)

    def _needs(self, check: Planned) -> tuple[Limits, tuple[str, ...]]:
        return check.limits, check.warm + self._preflights[check.milestone.id].warm

    def _worker_for(self, check: Planned) -> Any:
        return self._worker(check.milestone, *self._needs(check))

    def _worker(self, milestone: Milestone, limits: Limits, warm: tuple[str, ...] = ()) -> Any:
        if self._kept is not None:
            if self._kept[0] == milestone.id:
                return self._kept[1]
            self._kept[1].end()
            self._kept = None
        worker = self.workers.worker(limits, warm)
        self._kept = (milestone.id, worker)
        return worker

    def _fresh(self, milestone: Milestone, warm: tuple[str, ...]) -> Any:
        """Return a worker in which nothing of the submission has run."""
        self._release(failed=True)
        return self._worker(milestone, milestone.limits, warm)

    def _release(self, failed: bool) -> None:
        """End the worker, or keep it for the milestone's next check where starting one is dear."""
        if self._kept is None:
            return
        _, worker = self._kept
        if failed or not getattr(self.workers, "reusable", False):
            worker.end()
            self._kept = None
        else:
            worker.set_deadline(None)

    def close(self) -> None:
        """End the worker that is still in use, and the one that was made ready."""
        self._ahead.close()
        if self._kept is not None:
            self._kept[1].end()
            self._kept = None

    # ── the record ────────────────────────────────────────────────────────────────────────────────────────────────

    def milestones(self) -> list[record.Milestone]:
        """Return what became of each milestone. A check without exactly one outcome is a grader error."""
        return [self._milestone(self.syllabus.milestone(name)) for name in self.options.milestones]

    def _milestone(self, milestone: Milestone) -> record.Milestone:
        result = record.Milestone(
            milestone.id, milestone.title, sources=self.submission.digest(self.syllabus.with_uses(milestone))
        )
        preflight = self._preflights.get(milestone.id)
        if preflight is not None:
            result.notes = list(preflight.notes)
            if preflight.problem is not None:
                result.problem = preflight.problem.message.splitlines()[0]
        for task in milestone.tasks:
            checks = [self._outcome(check) for check in self.planned if check.task.id == task.id]
            if not checks and self.options.only is not None:
                continue
            part = record.Task(task.id, task.title, task.points, checks=checks, withheld=task.withheld)
            part.earned = earned(part, whole=self.options.only is None)
            result.tasks.append(part)
        return result

    @staticmethod
    def _outcome(check: Planned) -> record.Check:
        if len(check.results) == 1:
            return check.results[0]
        message = f"This check has {len(check.results)} outcomes instead of one."
        return record.Check(check.id, check.title, record.GRADER_ERROR, message=message)


def earned(task: record.Task, whole: bool = True) -> float:
    """Return a task's points: all of them when every check passed and at least one compared values, else none."""
    if task.outcome != record.PASSED:
        return 0.0
    if whole and not any(record.VALUE in check.evidence for check in task.checks):
        return 0.0
    return task.points


def load_request(milestone: Milestone, syllabus: Syllabus, submission: Submission) -> dict[str, Any]:
    """Return the fields of the request that loads a milestone's module with what it is made of."""
    names = syllabus.with_uses(milestone)
    return {
        "sources": {f"{name}.py": submission.sources[name] for name in names if name in submission.sources},
        "module": milestone.id,
        "names": [name.partition(".")[0] for task in milestone.tasks for name in task.implements],
        "trace": list(milestone.shortcuts),
        "blocked": [*REFUSED, "grader", "solutions"],
    }


def source_line(sources: dict[str, bytes], file: str, line: int) -> str:
    """Return one line of the submission, from the judge's own copy."""
    lines = sources.get(Path(file).stem, b"").decode("utf-8", "replace").splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def known_exception(error: StudentError) -> str:
    """Return the name of an exception if it is one of Python's own: the student's could be named after anything."""
    found = getattr(builtins, error.kind, None)
    return error.kind if isinstance(found, type) and issubclass(found, BaseException) else "an exception of its own"
