"""Which worker serves a check: one made for it, one made ready beside an earlier one, or one that is kept."""

from __future__ import annotations

import functools
from typing import Any, Protocol

from grader.sandbox.errors import PackagesLacking, StudentError, WorkerLost
from grader.sandbox.limits import Limits
from grader.sandbox.packages import REFUSED
from grader.submission import Submission
from grader.syllabus import Milestone, Syllabus

from .ahead import Ahead, Job, Loaded
from .draw import Draw
from .planned import Options, Planned
from .preflight import Preflight, inspect


class Others(Protocol):
    """The other judges of a run: what one has found of a milestone's file the others need not look for."""

    def look(self, milestone: str) -> Preflight | None:
        """Return what another judge has found, also if it is still at it; None: look yourself, and tell."""

    def found(self, milestone: str, preflight: Preflight | None) -> None:
        """Tell what was found, or that nothing was."""


class Supply:
    """The workers of one run, and what was found of each milestone's file before its checks."""

    def __init__(
        self, options: Options, syllabus: Syllabus, submission: Submission, workers: Any, planned: list[Planned]
    ) -> None:
        self.options, self.syllabus, self.submission, self.workers = options, syllabus, submission, workers
        self.planned = planned  # it grows while checks are collected
        self.preflights: dict[str, Preflight] = {}
        self._kept: tuple[str, Any] | None = None  # the worker in use: milestone, worker
        self._ahead = Ahead()
        self._inspecting: dict[str, Job] = {}  # the preflights that are under way beside a check
        self.others: Others | None = None  # the other judges of this run, who may look at a milestone's file too

    def preflight(self, milestone: Milestone) -> Preflight:
        """Return what is known of a milestone's file, which the first call looks at. Raises SandboxError."""
        if milestone.id not in self.preflights:
            try:
                job = self._inspecting.pop(milestone.id, None)
                self.preflights[milestone.id] = job.result.result() if job else self._inspect_now(milestone)
            finally:
                self.release(failed=False)
        return self.preflights[milestone.id]

    def loaded(self, check: Planned) -> Loaded:
        """Return the worker for a check, with the submission loaded, and have the next ones made ready beside it."""
        loaded = self._ahead.take(self._wanted(check)) or self._load(check, self._worker_for(check))
        self._kept = (check.milestone.id, loaded.worker)
        if self.workers.side_by_side:
            self.workers.draw_near(loaded.worker)
            self._look_ahead(check)
        return loaded

    def release(self, failed: bool) -> str:
        """End the worker, or keep it for the milestone's next check where starting one is dear.

        Returns what it has printed since it was made, or since it was kept.
        """
        if self._kept is None:
            return ""
        _, worker = self._kept
        if failed or not getattr(self.workers, "reusable", False):
            worker.end()
            self._kept = None
            return str(worker.output)
        printed = str(worker.output)
        worker.set_deadline(None)
        worker.forget_output()
        return printed

    def close(self) -> None:
        """End the worker that is still in use, and the one that was made ready."""
        self._ahead.close()
        if self._kept is not None:
            self._kept[1].end()
            self._kept = None

    def _load(self, check: Planned, worker: Any) -> Loaded:
        """Load the submission for a check, unless this worker has it already."""
        loaded = Loaded(worker)
        worker.set_deadline(check.limits.seconds)
        dice = self.dice(check)
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

    def dice(self, check: Planned) -> int:
        """Return the number that all dice of a check's worker are seeded with."""
        return self._dice(check.milestone, f"{check.milestone.id}::{check.id}")

    def _dice(self, milestone: Milestone, name: str) -> int:
        source = self.options.dice[milestone.id] or self.options.seed
        return Draw(source, f"{name} in the worker").random.getrandbits(32)

    def _look_ahead(self, check: Planned) -> None:
        """Have the next checks' workers made ready beside this one, where none can touch another."""
        for following in self.planned[check.position + 1 :][: self._ahead.depth]:
            if following.elsewhere:
                break
            milestone = following.milestone
            if milestone.id not in self.preflights:
                job = self._inspecting.get(milestone.id)
                if job is None:
                    self._inspecting[milestone.id] = self._ahead.begin(
                        functools.partial(self._inspect_beside, milestone)
                    )
                if job is None or not job.result.done() or job.result.exception():
                    break
                self.preflights[milestone.id] = job.result.result()
            if self.preflights[milestone.id].ready:
                self._ahead.prepare(self._wanted(following), functools.partial(self._load_beside, following))

    def _inspect(self, milestone: Milestone, job: Job) -> Preflight:
        """Look at a milestone's file in a worker that the job is left with, if one was needed."""

        def fresh(warm: tuple[str, ...], alone: bool) -> Any:
            if job.worker is not None:
                job.worker.end()
                job.worker = None
            workers = self._own_workers(milestone) if alone else self.workers
            job.worker = workers.worker(milestone.limits, warm)
            if not job.wanted:
                job.worker.kill()
            return job.worker

        if self.others and (found := self.others.look(milestone.id)):
            return found
        load, found = {**self.load_request(milestone), "dice": self._dice(milestone, milestone.id)}, None
        try:
            found = inspect(milestone, self.syllabus, self._submission(milestone), fresh, load)
            if found.unserved:  # once more, by the next server: all of a milestone's points hang on this look
                found = inspect(milestone, self.syllabus, self._submission(milestone), fresh, load)
        finally:
            if self.others:
                self.others.found(milestone.id, found)
        return found

    def _inspect_now(self, milestone: Milestone) -> Preflight:
        self.release(failed=True)  # what is kept serves another milestone
        job = Job()
        try:
            return self._inspect(milestone, job)
        finally:
            if job.worker is not None:
                self._kept = (milestone.id, job.worker)

    def _inspect_beside(self, milestone: Milestone, job: Job) -> Preflight:
        self.workers.make_room()
        try:
            return self._inspect(milestone, job)
        finally:
            if job.worker is not None:
                job.worker.end()

    def _load_beside(self, check: Planned, job: Job) -> Loaded:
        self.workers.make_room()
        job.worker = self._own_workers(check.milestone).worker(*self._needs(check))
        job.worker.hold_back(self._ahead.room())
        return self._load(check, job.worker) if job.wanted else Loaded(job.worker)

    def load_request(self, milestone: Milestone) -> dict[str, Any]:
        """Return the request that loads a milestone's module with what it is made of."""
        request = load_request(milestone, self.syllabus, self._submission(milestone))
        if milestone.id in self.preflights:
            request["compiled"] = self.preflights[milestone.id].compiled
            request["blocked"] += self.preflights[milestone.id].blocked
        if self.workers.level == "inline":
            request["trace"] = []  # the judge's own oracles live in the same process
        return request

    def boot(self) -> None:
        """Start the servers that milestones with packages of their own need, but for stubs that nobody has touched."""
        for milestone in {check.milestone.id: check.milestone for check in self.planned}.values():
            own = self.syllabus.own_packages(milestone)
            if own.names and not own.lacking() and not self._is_stub(milestone):
                self.workers.having(own).boot()

    def _is_stub(self, milestone: Milestone) -> bool:
        source = self._submission(milestone).sources.get(milestone.id)
        return source is None or source == milestone.stub.read_bytes()

    def _own_workers(self, milestone: Milestone) -> Any:
        return workers_for(milestone, self.syllabus, self.workers)

    def _submission(self, milestone: Milestone) -> Submission:
        return self.submission.under(milestone, self.syllabus)

    def _wanted(self, check: Planned) -> Any:
        """Return what a worker must have been made for to serve a check: limits may change at the last moment."""
        return check.position, self._needs(check)

    def _needs(self, check: Planned) -> tuple[Limits, tuple[str, ...]]:
        return check.limits, check.warm + self.preflights[check.milestone.id].warm

    def _worker_for(self, check: Planned) -> Any:
        if self._kept is not None:
            if self._kept[0] == check.milestone.id:
                return self._kept[1]
            self._kept[1].end()
            self._kept = None
        worker = self._own_workers(check.milestone).worker(*self._needs(check))
        self._kept = (check.milestone.id, worker)
        return worker


def load_request(milestone: Milestone, syllabus: Syllabus, submission: Submission) -> dict[str, Any]:
    """Return the fields of the request that loads a milestone's module with what it is made of."""
    names = syllabus.with_uses(milestone)
    return {
        "sources": {f"{name}.py": submission.sources[name] for name in names if name in submission.sources},
        "module": milestone.id,
        "names": [name.partition(".")[0] for task in milestone.tasks for name in task.implements],
        "trace": list(milestone.shortcuts),
        "blocked": [*REFUSED, "grader", "solutions", *others_packages(milestone, syllabus)],
    }


def others_packages(milestone: Milestone, syllabus: Syllabus) -> list[str]:
    """Return the packages that only other milestones may import."""
    own = syllabus.own_packages(milestone).names
    return [name for other in syllabus.milestones for name in other.imports if name not in own]


def workers_for(milestone: Milestone, syllabus: Syllabus, workers: Any) -> Any:
    """Return what hands out workers that have a milestone's own packages. Raises PackagesLacking without them."""
    own = syllabus.own_packages(milestone)
    if lacking := own.lacking():
        names, them = " and ".join(lacking), "it" if len(lacking) == 1 else "them"
        by_hand = f"python -m pip install {' '.join(lacking)}"
        install = by_hand if milestone.own else f"nox -s grade -- {milestone.number}"
        raise PackagesLacking(f"{milestone.id} needs {names}, and this Python lacks {them}; {install} installs {them}")
    return workers.having(own) if own.names else workers
