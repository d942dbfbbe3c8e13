"""One graded run: which checks there are, which worker serves them, how each ended, and the record of it all."""

from __future__ import annotations

import contextlib
import gc
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from grader import record, resting
from grader.counting import counted
from grader.pictures import Bound, Items
from grader.sandbox.errors import SandboxError, StudentError, WorkerLost
from grader.sandbox.requests import Requests
from grader.submission import Submission
from grader.syllabus import Milestone, Syllabus

from . import achieved, calls, compare, learning, mistakes, vocabularies
from .calls import Calls
from .oracles import Data, Weights
from .outcomes import CheckFailed, GraderError, Verdict, known_exception, lost, verdict
from .planned import Options, Planned
from .preflight import Preflight
from .student import Student
from .supply import Others, Supply

HEAVY_MB = 16


class Listener(Protocol):
    """Who is told as the run goes on."""

    def start(self, total_checks: int) -> None:
        """The list of checks is fixed."""

    def check_started(self, milestone: str, task: str, title: str) -> None:
        """A check begins."""

    def check_ended(self, check: record.Check) -> None:
        """A check has its outcome."""

    def ended_beside(self, ended: int, passed: int) -> None:
        """So many checks more have ended, and passed, in other judges; each will be told of in its turn."""


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
        self.tell: Callable[[list[Planned]], None] | None = None  # of the checks, as soon as they are known
        self.fault = ""  # what went wrong in pytest itself, if anything
        self._failing: dict[str, int] = {}  # task -> the place of the check whose calls are kept
        self.supply = Supply(options, syllabus, submission, workers, self.planned)

    # ── checks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, check: Planned) -> None:
        """Note that a check starts."""
        check.started = time.perf_counter()
        compare.evidence.clear()
        achieved.sentences.clear()
        if self.listener:
            self.listener.check_started(check.milestone.id, check.task.id, check.title)

    def problem(self, check: Planned) -> Verdict | None:
        """Return why no check of this milestone can run, or None. The first call looks at the submission's file."""
        try:
            found = self.supply.preflight(check.milestone)
        except SandboxError as error:
            return verdict(error, "", check.milestone.limits, answered=False)
        if found.problem is not None and self._beside_solutions(check.milestone):
            return replace(found.problem, message=found.problem.official)
        return Verdict(record.NOT_STARTED, "Not implemented yet.") if found.untouched else found.problem

    def finish(self, check: Planned, given: Verdict | None = None) -> None:
        """Give a check its outcome."""
        result = given or self._verdict(check)
        try:
            mistakes.check(result.mistake)
        except GraderError as error:
            result = verdict(error, check.task.id, check.limits, check.answered)
        discreet = self._beside_solutions(check.milestone)
        if discreet and given is None:
            result = self._discreet(check, result)
        sources = self.submission.under(check.milestone, self.syllabus).sources
        seen = result.frames
        if discreet:
            seen = own_frames(seen, check.milestone.id, sources)
        frames = [record.Frame(file, line, function, source_line(sources, file, line)) for file, line, function in seen]
        ended = record.fitted(
            record.Check(
                id=check.id,
                title=check.title,
                outcome=result.outcome,
                evidence=sorted(check.evidence),
                seconds=round(time.perf_counter() - check.started, 4),
                message=result.message,
                mistake=mistakes.named(result.mistake),
                blocked_by=result.blocked_by,
                traceback=frames,
                output="" if discreet else check.output,
                achieved=check.achieved if self._rewards(result, discreet) else [],
            )
        )
        check.results.append(ended)
        if ended.outcome in resting.BROKEN:
            self._keep_calls(check)
        check.requests = None
        check.error = check.over = None  # its traceback holds on to whatever the student's code returned
        if self.listener:
            self.listener.check_ended(ended)

    def _keep_calls(self, check: Planned) -> None:
        """Write down what a failing check called, if it is the first one of its task to fail, or before that one."""
        if check.requests is None or check.order >= self._failing.get(check.task.id, check.order + 1):
            return
        self._failing[check.task.id] = check.order
        dice = self.supply.dice(check)
        picture = check.error.picture() if isinstance(check.error, CheckFailed) and check.error.picture else None
        if isinstance(picture, Bound) and record.MEASURED not in check.evidence:
            picture = learning.beside(picture, check.losses)
        elif isinstance(picture, Items):
            picture = vocabularies.spelled(picture, check.requests)
        check.calls = calls.written(
            check.requests, check.names, check.task.id, check.title, self.options.device, dice, picture
        )

    def _beside_solutions(self, milestone: Milestone) -> bool:
        """Whether a solution lies beside this milestone's file, so that its code could tell what it read there."""
        return self.options.prerequisites == "solutions" and len(self.syllabus.with_needs(milestone)) > 1

    def _rewards(self, result: Verdict, discreet: bool) -> bool:
        """Whether a report may say what this check has found: it may quote what the student's code wrote."""
        secret = discreet or self.options.secret_seed
        return self.options.rewarding and result.outcome == record.PASSED and not secret

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
        if check.over is not None or check.error is None or result.outcome != record.FAILED:
            return result
        if isinstance(check.error, StudentError):
            return replace(result, message=f"Your code raised {known_exception(check.error)}.")
        return replace(result, message="What came back is not what this check asks for.")

    def _verdict(self, check: Planned) -> Verdict:
        if check.over is not None:  # however the check ended: when it was seen must not matter
            return lost(check.over, check.limits)
        if isinstance(check.error, StudentError) and check.error.mistake is None:
            check.error.mistake = mistakes.of_error(check.error.text)
        if check.error is not None:
            return self._believable(check, verdict(check.error, check.task.id, check.limits, check.answered))
        used = self.supply.preflight(check.milestone).shortcut(check.task) or next(iter(check.shortcuts), None)
        if used:
            return Verdict(
                record.FAILED,
                f"Your code uses {used}, which is what this milestone builds; write it out with simpler operations.",
                mistake=mistakes.named(mistakes.by_library(used.partition(" ")[0])) or mistakes.LIBRARY,
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

    @contextlib.contextmanager
    def student(self, check: Planned) -> Iterator[Student]:
        """Give a check the submission's module in a worker, and take back what happened there."""
        loaded = self.supply.loaded(check)
        worker, conversation = loaded.worker, loaded.worker.conversation
        try:
            if loaded.failure is not None:
                raise loaded.failure
            if self.options.keep_calls:
                check.requests = conversation.requests = Requests()
                check.names = worker.names if type(worker.names) is dict else {}
            # Inline the judge's own models learn in the same process.
            losses = self.options.keep_calls and self.workers.level != "inline"
            yield Student(worker, check.milestone.id, worker.names, losses=losses)
        finally:
            check.answered = conversation.answered
            check.evidence = set(compare.evidence)
            check.achieved = list(achieved.sentences)
            check.shortcuts = list(conversation.shortcuts)
            conversation.requests = None
            worker.settle()
            if check.requests is not None and isinstance(check.error, CheckFailed) and not worker.limit_broken:
                check.losses = learning.told_by(conversation)
            # A shortcut stays seen in its worker, and is nothing that the next check should be told of.
            check.output = self.supply.release(
                failed=check.error is not None or worker.limit_broken is not None or bool(check.shortcuts)
            )
            check.heavy = getattr(worker, "answered_mb", 0.0) > HEAVY_MB
            if worker.limit_broken and not isinstance(check.error, WorkerLost):
                check.over = WorkerLost(limit=worker.limit_broken)

    # ── other judges ──────────────────────────────────────────────────────────────────────────────────────────────

    def help_out(self, workers: Any, others: Others) -> None:
        """Go on in a fork of the first judge, with workers of its own and nobody else to tell."""
        import torch

        torch.set_num_threads(1)  # those that the first judge may have are not here
        self.listener = None
        self.workers = self.supply.workers = workers
        self.supply.others = others

    def take_over(self, check: Planned, ended: record.Check, calls: Calls | None, preflight: Preflight | None) -> None:
        """Give a check the outcome that another judge has found."""
        check.calls = calls
        if preflight is not None:
            self.supply.preflights.setdefault(check.milestone.id, preflight)
        if self.listener:
            self.listener.check_started(check.milestone.id, check.task.id, check.title)
        check.results.append(ended)
        if self.listener:
            self.listener.check_ended(ended)

    # ── the record ────────────────────────────────────────────────────────────────────────────────────────────────

    def milestones(self) -> list[record.Milestone]:
        """Return what became of each milestone. A check without exactly one outcome is a grader error."""
        found = [self._milestone(self.syllabus.milestone(name)) for name in self.options.milestones]
        resting.ask_for_no_reports(found)
        return found

    def _milestone(self, milestone: Milestone) -> record.Milestone:
        preflight = self.supply.preflights.get(milestone.id)
        problem = preflight.problem if preflight is not None else None
        result = record.Milestone(
            milestone.id,
            milestone.title,
            problem=problem.message.partition("\n")[0] if problem else None,
            official_problem=problem.official if problem else "",
            notes=preflight.notes if preflight is not None else [],
            sources=self.submission.under(milestone, self.syllabus).digest(self.syllabus.with_uses(milestone)),
            dice=self.options.dice[milestone.id],
        )
        if problem and self._beside_solutions(milestone):
            result.problem = result.official_problem
        record.fit_words(result)
        for task in milestone.tasks:
            checks = [self._outcome(check) for check in self.planned if check.task.id == task.id]
            if not checks and self.options.only is not None:
                continue
            if self.options.tasks is not None and task.id not in self.options.tasks:
                continue
            part = record.Task(
                task.id, task.title, task.points, checks=checks, withheld=task.withheld, rests_on=list(task.rests_on)
            )
            part.earned = earned(part, whole=self.options.only is None)
            result.tasks.append(part)
        return result

    @staticmethod
    def _outcome(check: Planned) -> record.Check:
        if len(check.results) == 1:
            return check.results[0]
        message = f"This check has {counted(len(check.results), 'outcome')} instead of one."
        return record.Check(check.id, check.title, record.GRADER_ERROR, message=message)


def earned(task: record.Task, whole: bool = True) -> float:
    """Return a task's points: all of them when every check passed and at least one compared values, else none."""
    if task.outcome != record.PASSED:
        return 0.0
    if whole and not any(record.VALUE in check.evidence for check in task.checks):
        return 0.0
    return task.points


def source_line(sources: dict[str, bytes], file: str, line: int) -> str:
    """Return one line of the submission, from the judge's own copy."""
    lines = sources.get(Path(file).stem, b"").decode("utf-8", "replace").splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def own_frames(
    frames: list[tuple[str, int, str]], module: str, sources: dict[str, bytes]
) -> list[tuple[str, int, str]]:
    """Keep of a traceback what the module's own text says too: beside solutions, names could be lines of theirs."""
    words = set(re.findall(r"\w+", sources.get(module, b"").decode("utf-8", "replace")))
    return [(file, line, name if name in words else "") for file, line, name in frames if file == f"{module}.py"]
