"""Which core runs what: the judge and the worker that it speaks with on one, what is made ready for later elsewhere.

To wake up a process on a core that has nothing to do takes as long as many a request, on virtual machines above all.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections.abc import Callable, Iterator


@functools.cache
def _own_core() -> Callable[[], int] | None:
    """Return the C library's function that tells on which core this thread runs, where there is one."""
    return getattr(ctypes.CDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None


def count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if _own_core() else os.cpu_count() or 1


def keep_to_one(number: int) -> None:
    """Have this thread, and all that it starts, run on one core, the one of this number (counted around).

    A judge, its server and their worker take turns. Where every core has a judge, each is quicker for not moving.
    """
    if _own_core():
        _move(0, _one_of(os.sched_getaffinity(0), number))


class Cores:
    """The cores that this process may use, and which of them the judge's own thread was on lately."""

    def __init__(self) -> None:
        self._all = os.sched_getaffinity(0) if _own_core() else set[int]()
        self._others = self._all
        self._kept_to = set[int]()  # the core that everything has to run on, where there is one

    def keep_to_one(self, number: int, server: int) -> None:
        """Have this process and the workers to come run on one core, and the server, which others use too, on any."""
        if _own_core():
            self._kept_to, self._others = _one_of(self._all, number), self._all
            _move_all(self._kept_to)
            _move(server, self._all)

    def settle(self, worker: int) -> None:
        """Have a worker that was just made run where all of this process's have to."""
        if self._kept_to:
            _move(worker, self._kept_to)

    def spread_out(self) -> None:
        """Have this process run on all cores again."""
        if self._kept_to:
            _move_all(self._all)
            self._kept_to = set()

    def draw_near(self, worker: int, server: int) -> None:
        """Have a worker run on the core of this thread, and the server fork on the others."""
        own = _own_core()
        if own is None or len(self._all) < 2 or self._kept_to:
            return
        core = own()
        self._others = self._all - {core}
        _move(worker, {core})
        _move(server, self._others)

    def let_go(self, worker: int) -> None:
        """Have a worker that is done for end on whatever core has nothing to do."""
        if self._others != self._all:
            _move(worker, self._all)

    def make_room(self) -> None:
        """Have this thread run beside the judge's."""
        if self._others != self._all:
            _move(0, self._others)

    @contextlib.contextmanager
    def anywhere(self) -> Iterator[None]:
        """Have the threads that are started meanwhile run on whatever core has nothing to do."""
        if self._others == self._all:
            yield
            return
        own = os.sched_getaffinity(0)
        _move(0, self._all)
        try:
            yield
        finally:
            _move(0, own)


def _one_of(cores: set[int], number: int) -> set[int]:
    return {sorted(cores)[number % len(cores)]}


def _move_all(cores: set[int]) -> None:
    for thread in os.listdir("/proc/self/task"):
        _move(int(thread), cores)


def _move(pid: int, cores: set[int]) -> None:
    with contextlib.suppress(OSError):  # it may have ended; and it does its work on any core
        os.sched_setaffinity(pid, cores)
