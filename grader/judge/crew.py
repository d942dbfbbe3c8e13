"""Further judges for a long run: forks of this one that take its last checks while it works on the first.

They are forked once the checks are known and before the first one runs, when no thread of this process does anything,
and wait until the run turns out to be a long one. All have workers from the same fork server. The first judge gives out
the checks, takes all that is found into the record, and itself does what another one has taken and does not tell.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from grader import record
from grader.sandbox import cores, warden

from .calls import Calls
from .planned import Planned
from .preflight import Preflight

LONG_SECONDS = 0.5  # after which the others are called
PORTIONS = 6  # into how many each judge's share is divided, the next ones smaller
MOST_AT_ONCE = 8
MOST = 4  # judges of one run
LOOK_EVERY = 0.1  # seconds between two looks at what others have done meanwhile
PATIENCE_SECONDS = 60  # with one that says nothing, beyond what its check may take
MEMORY_MB, LARGE_MB = 1500, 6000  # that each of them and its worker may need; the latter with a large checkpoint
CONTAINER = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))  # version 2, 1


def most_judges(workers: Any) -> int:
    """Return how many judges a run may have: one for each core, where no worker can touch another judge's."""
    if not apart(workers) or threading.active_count() > 1:  # a fork has this thread alone
        return 1
    each = LARGE_MB if workers.checkpoints else MEMORY_MB
    return max(1, min(cores.count(), MOST, memory() // (each * 2**20)))


def apart(workers: Any) -> bool:
    """Whether no worker can touch another one."""
    return getattr(workers, "side_by_side", False)


def memory() -> int:
    """Return how many bytes of memory there are to be had, here or in the container that this is."""
    found = [psutil.virtual_memory().available]
    for path in CONTAINER:
        with contextlib.suppress(OSError, ValueError):  # there is no such file, or it says "max"
            found.append(int(path.read_text(encoding="ascii")))
    return min(found)


Ended = tuple[record.Check, Calls | None]


class Crew:
    """What the first judge knows of the others: what each has taken, and what became of it."""

    def __init__(self, planned: list[Planned], workers: Any, judges: int) -> None:
        self._free = deque(planned)
        self._workers, self._judges = workers, judges if apart(workers) else 1
        self._full = judges == cores.count()
        self._patience = PATIENCE_SECONDS + warden.PATIENCE * max((one.limits.seconds for one in planned), default=0)
        self._ended: dict[int, Ended] = {}  # by position
        self._looking: dict[str, Connection | None] = {}  # milestone -> who looks at its file (None: the first judge)
        self._found: dict[str, Preflight] = {}
        self._over = False
        self._changed = threading.Condition()
        self._helpers: list[tuple[Any, Connection]] = []
        self._attending: list[threading.Thread] = []  # as soon as the others are called
        self._since = time.monotonic()
        self._threads = 0  # that torch had before

    def enlist(self, work: Callable[[Helper, Any], None]) -> None:
        """Fork the others; each works, when it is called, with workers of its own from the same sandbox."""
        with contextlib.suppress(OSError):  # where there is no room for one more process, the run does without
            for number in range(1, self._judges):
                self._helpers.append(self._fork(number, work))

    def leaves(self, check: Planned) -> bool:
        """Whether a check is left to the first judge, which takes it thereby; the others are called in time."""
        with self._changed:
            if self._free and self._free[0] is check:
                self._free.popleft()
        if self._helpers and not self._attending and time.monotonic() - self._since > LONG_SECONDS:
            self._call()
        return not check.elsewhere

    def look(self, milestone: str, who: Connection | None = None) -> Preflight | None:
        """Return what is known of a milestone's file, once whoever looks at it has told; None: nobody looks at it."""
        with self._changed:
            self._changed.wait_for(lambda: milestone not in self._looking or self._over)
            if milestone not in self._found:
                self._looking[milestone] = who
            return self._found.get(milestone)

    def found(self, milestone: str, preflight: Preflight | None) -> None:
        """Let all know what was found of a milestone's file, or that nothing was."""
        with self._changed:
            self._looking.pop(milestone, None)
            if preflight is not None:
                self._found[milestone] = preflight
            self._changed.notify_all()

    def known(self, milestone: str) -> Preflight | None:
        """Return what was found of a milestone's file so far."""
        return self._found.get(milestone)

    def ended(self, check: Planned, meanwhile: Callable[[], object]) -> Ended | None:
        """Return what became of a check that another judge has taken, once it is known; None: that judge is lost."""
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: check.position in self._ended or not check.elsewhere, LOOK_EVERY):
                    return self._ended.pop(check.position, None)
            meanwhile()

    def beside(self) -> tuple[int, int]:
        """Return how many checks have ended elsewhere that are not taken over yet, and how many of them have passed."""
        with self._changed:
            known = [ended.outcome for ended, _ in self._ended.values()]
        return len(known), known.count(record.PASSED)

    def dismiss(self) -> None:
        """End the others, wherever they are; what workers they have the server ends."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        for process, _ in self._helpers:
            process.kill()
            process.join()
        for thread in self._attending:
            thread.join()
        for _, connection in self._helpers:
            connection.close()
        if self._attending and self._full:
            import torch

            torch.set_num_threads(self._threads)
            self._workers.spread_out()

    def _fork(self, number: int, work: Callable[[Helper, Any], None]) -> tuple[Any, Connection]:
        context = multiprocessing.get_context("fork")
        workers, core = self._workers.for_another_judge(), number if self._full else None
        ours, theirs = context.Pipe()
        try:
            process = context.Process(target=_serve, args=(work, theirs, workers, core), daemon=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of the threads of numpy's library, which sleep
                process.start()
        finally:
            theirs.close()
            workers.hang_up()
        return process, ours

    def _call(self) -> None:
        """Have the others begin, each judge on a core of its own where there are as many."""
        for process, connection in self._helpers:
            thread = threading.Thread(target=self._attend, args=(process, connection), daemon=True)
            thread.start()
            self._attending.append(thread)
        if self._full:
            import torch

            self._threads = torch.get_num_threads()
            torch.set_num_threads(1)
            self._workers.keep_to_one(0)

    def _give(self) -> list[Planned]:
        """Take some of the last checks: fewer and fewer, so that all judges end at about the same time."""
        number = math.ceil(len(self._free) / (PORTIONS * (1 + len(self._helpers))))
        given = [self._free.pop() for _ in range(min(number, MOST_AT_ONCE))]
        for check in given:
            check.elsewhere = True
        return given[::-1]

    def _attend(self, process: Any, connection: Connection) -> None:
        """Give a helper one check after another, the last ones first, and keep what it has to tell."""
        taken: list[Planned] = []
        try:
            connection.send("begin")
            while True:
                if not connection.poll(self._patience):
                    process.kill()  # nobody knows what it waits for
                match connection.recv():
                    case "more":
                        with self._changed:
                            given = self._give()
                        taken += given
                        connection.send([check.position for check in given])
                    case "look", str(milestone):
                        connection.send(self.look(milestone, connection))
                    case "found", str(milestone), preflight:
                        self.found(milestone, preflight)
                    case "ended", int(position), ended, calls:
                        with self._changed:
                            self._ended[position] = ended, calls
                            self._changed.notify_all()
        except (EOFError, OSError):
            with self._changed:
                for check in taken:
                    check.elsewhere = check.elsewhere and check.position in self._ended
                for milestone in [name for name, who in self._looking.items() if who is connection]:
                    del self._looking[milestone]
                self._changed.notify_all()


class Helper:
    """A further judge's hold on the first one, for its own thread and for the one that looks ahead."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._one_at_a_time = connection, threading.Lock()

    def more(self) -> list[int]:
        """Return the positions of some more checks; none when all are taken."""
        return list(self._ask("more"))

    def look(self, milestone: str) -> Preflight | None:
        """Return what another judge has found of a milestone's file; None: nobody looks at it."""
        found: Preflight | None = self._ask(("look", milestone))
        return found

    def found(self, milestone: str, preflight: Preflight | None) -> None:
        """Say what was found of a milestone's file."""
        self._say(("found", milestone, preflight))

    def tell(self, position: int, ended: record.Check, calls: Calls | None) -> None:
        """Say how a check ended, and what it called if that was kept."""
        self._say(("ended", position, ended, calls))

    def _say(self, message: Any) -> None:
        with self._one_at_a_time:
            self._connection.send(message)

    def _ask(self, question: Any) -> Any:
        with self._one_at_a_time:
            self._connection.send(question)
            return self._connection.recv()


def _serve(work: Callable[[Helper, Any], None], connection: Connection, workers: Any, core: int | None) -> None:
    """Wait until the first judge calls, then work."""
    from grader.sandbox.inside import linux

    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first judge ends this one
    with contextlib.suppress(Exception):  # whatever it is: what is not told from here the first judge does itself
        connection.recv()
        if core is not None:
            workers.keep_to_one(core)
        work(Helper(connection), workers)
