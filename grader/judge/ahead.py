"""What the next checks need, made ready while this one runs: forking and importing the submission then delay nobody."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from grader.sandbox.warden import MEMORY

DEPTH = 8  # long checks make up for short ones, which end before one worker is ready
WAITING_MB = 64  # what each may take of memory when several wait; together they must not use up the machine


@dataclass
class Loaded:
    """A worker that was told to load the submission for one check."""

    worker: Any
    failure: Exception | None = None  # why the submission did not load; the check ends with it


class Job:
    """Something that is being made ready, or is; `worker` is whom it has to do with, as soon as there is one."""

    def __init__(self) -> None:
        self.worker: Any = None
        self.wanted = True
        self.result: Future[Any]

    def drop(self) -> None:
        """End its worker, also while the submission is being loaded there."""
        self.wanted = False
        if self.result.cancel():
            return
        if self.worker is not None:
            self.worker.kill()
        with contextlib.suppress(Exception):  # why it could not be made ready interests nobody any more
            self.result.result()
        if self.worker is not None:
            self.worker.end()


class Ahead:
    """Does one job after another, in a thread of its own."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._workers: deque[tuple[Any, Job]] = deque()  # for the checks to come, in order, by what they are made for
        self._others: list[Job] = []
        self.depth = DEPTH

    def begin(self, work: Callable[[Job], Any]) -> Job:
        """Have something done, once all that was asked for before is done."""
        job = self._submit(work)
        self._others.append(job)
        return job

    def prepare(self, key: Any, work: Callable[[Job], Loaded]) -> None:
        """Have a worker made ready for whatever `key` stands for, unless it is already, or enough of them wait."""
        if len(self._workers) >= self.depth or any(known == key for known, _ in self._workers):
            return
        self._workers.append((key, self._submit(work)))

    def take(self, key: Any) -> Loaded | None:
        """Return the worker that was made ready for just this, or None; those made for something else end.

        One that took too much to wait among others is no longer there; from then on a single one is made ready, which
        may take what its check may. Raises SandboxError if none could be made.
        """
        if self._workers and self._workers[0][0] != key:
            self.drop()
        if not self._workers:
            return None
        loaded: Loaded = self._workers.popleft()[1].result.result()
        loaded.worker.hold_back(None)
        if loaded.worker.limit_broken == MEMORY and self.depth > 1:
            loaded.worker.end()
            self.drop()
            self.depth = 1
            return None
        return loaded

    def room(self) -> float | None:
        """Return how much memory a worker may take while it waits; None: what its check may."""
        return WAITING_MB if self.depth > 1 else None

    def drop(self) -> None:
        """End the workers that were made ready."""
        dropped, self._workers = [job for _, job in self._workers], deque()
        for job in reversed(dropped):  # those that have not begun first
            job.drop()

    def close(self) -> None:
        """End whatever is left."""
        self.drop()
        for job in self._others:
            job.drop()
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _submit(self, work: Callable[[Job], Any]) -> Job:
        self._pool = self._pool or ThreadPoolExecutor(1, "ahead")
        job = Job()
        job.result = self._pool.submit(work, job)
        return job
