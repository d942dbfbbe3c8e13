"""The warden: a thread of the judge that watches one worker from outside and kills it when it goes over a limit."""

from __future__ import annotations

import _thread
import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

import psutil

from .limits import Limits

LOOK_EVERY = 0.02  # seconds
LOOK_SELDOM = 0.1  # seconds, while it waits: to look at many workers takes time from the judge
POLLING = sys.platform != "win32"  # pipes cannot be waited for with select there
MEGABYTE = 2**20
PATIENCE = 4  # times its limit that a check may take by the clock, if it has waited for a processor all the while
SOCKET_BYTES = 212_992  # what may lie unread in one, by the kernel's default, which the filter of calls keeps
TCP_TIMES = 2  # how much memory a byte takes that lies unread in one of TCP's, whose room grows with what is read
AREA_BYTES = 350  # what the kernel keeps for each part of memory with rights of its own, in lists of them included
AREAS_EVERY = 1.0  # seconds: to count them takes the longer the more there are
# What a process has of memory for itself, where it lies in swap too, and what the kernel needs to find it there.
KEPT = (b"RssAnon:", b"RssShmem:", b"VmSwap:", b"VmPTE:", b"HugetlbPages:")
SHARED_KEPT = ("Pss_Anon", "Pss_Shmem", "SwapPss", "Private_Hugetlb", "Shared_Hugetlb")

TIME, MEMORY, PROCESSES, OUTPUT = "time", "memory", "processes", "output"


class Warden:
    """Watches the processes below one process, reads what they print, and kills them all at the limit."""

    def __init__(
        self,
        root: int,
        output_fd: int,
        limits: Limits,
        kill: Callable[[], None],
        itself: bool = False,
        own_network: bool = False,
        keepers: int = 0,
    ) -> None:
        self.root, self.limits = root, limits
        self._own_network = own_network  # whether the sockets of its network namespace are all its own
        self._own = [root] if itself else []
        self._files = 0  # of files that the root has mapped at most, seen where it mattered
        self._most_processes = limits.processes + keepers  # a keeper stands below the root and is not the student's
        self.broken: str | None = None  # which limit was gone over
        self.output = bytearray()
        self.peak = 0
        self._waiting_mb: float | None = None  # what it may take while it waits for its check; None: it does not
        self._judging_memory = threading.Lock()
        self._output_fd, self.kill = output_fd, kill
        if POLLING:
            os.set_blocking(output_fd, False)
        self._left: float | None = None  # seconds that the student's code may still take; None: no limit
        # Seconds that it could take in all; by then it had waited for a processor, and had one, for so many.
        self._given, self._waited, self._worked = 0.0, 0.0, 0.0
        self._since: float | None = time.monotonic()  # since when the clock runs; None: it is stopped
        self._baseline = 0
        self._done = threading.Event()
        self._reading = threading.Lock()
        self._ended = threading.Event()  # nothing more is to be read

    def start(self) -> None:
        """Begin to watch."""
        for work in (self._watch, self._read):
            _thread.start_new_thread(work, ())  # a threading.Thread would make every check wait until it runs

    def rebase(self) -> None:
        """Count memory from here: what a fork shares with its server is not the submission's."""
        self._baseline = sum(_memory_of(pid) for pid in self._watched())
        self.peak = 0

    def allow(self, seconds: float | None) -> None:
        """Kill the worker once its clock has run this many seconds; None: never.

        Waiting for a processor, which others have on a busy machine, is not counted, up to three times as long.
        """
        self._given, self._waited, self._worked = seconds or 0.0, _waited_by(self.root), self.cpu_seconds()
        self._left, self._since = seconds, None

    def hold_back(self, megabytes: float | None) -> None:
        """Let it grow by less than its limit says while it waits for its check; None: by all of it.

        Whether it has gone over the lower limit is known when this returns: nothing is held against it later.
        """
        with self._judging_memory:
            self._waiting_mb = megabytes

    def run_clock(self, runs: bool) -> None:
        """Let the clock run on, or stop it for a while."""
        now = time.monotonic()
        since, self._since = self._since, now if runs else None
        if since is not None and self._left is not None:
            self._left -= now - since

    def stop(self) -> None:
        """Stop watching, and have all that the worker has printed, which is judged once more."""
        self._done.set()
        if POLLING:
            with self._reading:
                self._drain()
                os.close(self._output_fd)
        else:
            self._ended.wait(timeout=2)
        self._judge_output()

    def settle(self) -> None:
        """Judge what the worker has done so far as if it had been looked at all the time: what it printed and held.

        How it ends must not depend on when somebody looked, which is earlier or later the busier the machine is.
        """
        if self._done.is_set():
            return  # `stop` has done so
        if POLLING:
            with self._reading:
                self._drain()
        self._judge_output()
        if self.broken is None and self._highest() > self.limits.memory_mb * MEGABYTE:
            self.broken = MEMORY

    def forget_output(self) -> None:
        """Count what it prints anew: for another check in the same process."""
        with self._reading:
            self.output.clear()

    def memory(self) -> int:
        """Return by how many bytes the worker and what it started have grown."""
        return max(0, sum(_memory_of(pid) for pid in self._watched()) - self._baseline)

    def cpu_seconds(self) -> float:
        """Return the processor time that the worker and what it started have used."""
        total = 0.0
        for pid in self._watched():
            with contextlib.suppress(psutil.Error):
                used = psutil.Process(pid).cpu_times()
                total += used.user + used.system
                # What its children used that have ended; psutil has no such figure on Windows and macOS.
                total += getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)
        return total

    def _watched(self) -> list[int]:
        return self._own + below(self.root)

    def _watch(self) -> None:
        try:
            self._look()
        except Exception:  # whatever a hostile process makes the system say: a watch that fails must not go unnoticed
            self._break(TIME)
            raise

    def _look(self) -> None:
        areas, counted = 0, time.monotonic()
        while not self._done.wait(LOOK_EVERY if self._waiting_mb is None else LOOK_SELDOM):
            left, since = self._left, self._since
            if left is not None and since is not None and self._is_late(time.monotonic() - since - left):
                return self._break(TIME)
            pids = self._watched()
            if len(pids) > self._most_processes:
                return self._break(PROCESSES)
            if time.monotonic() - counted > AREAS_EVERY:
                counted = time.monotonic()
                areas = sum(_areas_of(pid) for pid in pids) * AREA_BYTES
            beside = areas + (_sockets_beside(pids, self.limits.loopback) if self._own_network else 0)
            grown = sum(_memory_of(pid) for pid in pids) - self._baseline + beside
            self.peak = max(self.peak, grown)
            if self._own and grown > self.limits.memory_mb * MEGABYTE / 4:
                self._files = max(self._files, *_kept(self.root, (b"RssFile:",)), 1)
            # The quick sum counts what forks share once for each; the dearer one is asked only when that is too much.
            if grown > self._most_memory():
                grown = sum(_share_of(pid) for pid in pids) + beside
                with self._judging_memory:
                    if grown > self._most_memory():
                        return self._break(MEMORY)
            if self._too_much_printed():
                return self._break(OUTPUT)
        return None

    def _is_late(self, seconds: float) -> bool:
        """Whether it has taken so many seconds more than it may, and has not spent them waiting for a processor.

        What has worked for as long as it may is late, whoever waited: its own processes may have stood in its way.
        """
        if seconds <= 0:
            return False
        if seconds > (PATIENCE - 1) * self._given or self.cpu_seconds() - self._worked > self._given:
            return True
        return seconds > max(map(_waited_by, self._watched()), default=0.0) - self._waited

    def _most_memory(self) -> float:
        return (self.limits.memory_mb if self._waiting_mb is None else self._waiting_mb) * MEGABYTE

    def _break(self, limit: str) -> None:
        self.broken = self.broken or limit
        self.kill()

    def _drain(self) -> None:
        """Take what there is, but no more than decides: somebody may go on printing."""
        while not self._too_much_printed() and self._take():
            pass

    def _too_much_printed(self) -> bool:
        return len(self.output) > self.limits.output_kb * 1024

    def _judge_output(self) -> None:
        if self._too_much_printed():
            self.broken = self.broken or OUTPUT

    def _highest(self) -> int:
        """Return by how much the worker's own process had grown at its largest, which the system notes (Linux)."""
        if not (self._own and self._files):  # it was not large, or is one of several
            return 0
        return sum(_kept(self.root, (b"VmHWM:",))) - self._files - self._baseline

    def _read(self) -> None:
        """Collect what the worker prints, until the end or until `stop` takes over."""
        while not self._done.is_set():
            if POLLING:
                try:
                    select.select([self._output_fd], [], [], 0.1)
                except (OSError, ValueError):
                    break  # `stop` has just closed it
            with self._reading:
                if (POLLING and self._done.is_set()) or self._take() is False:
                    break
        self._ended.set()

    def _take(self) -> bool | None:
        """Take one piece of output; return whether there was one (False: nor will there be), None: not now."""
        limit = self.limits.output_kb * 1024
        try:
            piece = os.read(self._output_fd, 65536)
        except BlockingIOError:
            return None
        except OSError:
            return False
        # What goes past the limit is read and dropped, or the worker would wait for us instead of being told.
        self.output += piece[: max(0, limit + 1 - len(self.output))]
        return bool(piece)


def below(root: int) -> list[int]:
    """Return the process ids below a process, itself left out."""
    if not sys.platform.startswith("linux"):
        try:
            return [child.pid for child in psutil.Process(root).children(recursive=True)]
        except psutil.Error:
            return []
    found = children(root)
    for pid in found:  # the list grows while it is read
        found += children(pid)
    return found


def children(pid: int) -> list[int]:
    """Return the process ids of a process's own children (Linux)."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it may just have ended
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:
                found += [int(word) for word in file.read().split()]
    return found


def _memory_of(pid: int) -> int:
    """Return the memory of a process in bytes, page tables included; files mapped from disk are not counted."""
    if not sys.platform.startswith("linux"):
        try:
            return psutil.Process(pid).memory_info().rss
        except psutil.Error:
            return 0
    return sum(_kept(pid, KEPT))


def _kept(pid: int, names: tuple[bytes, ...]) -> list[int]:
    """Return these figures of a process's status, in bytes; none for one that is gone."""
    for folder in (f"/proc/{pid}", *(f"/proc/{pid}/task/{thread}" for thread in _threads(pid))):
        try:
            with open(f"{folder}/status", "rb") as file:
                lines = file.read().split(b"\n")[1:]  # the first is the name, which the process chooses
        except OSError:
            continue
        sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith(names)]
        if sizes:
            return sizes
        # A process whose main thread has ended shows its memory in the others alone.
    return []


def _areas_of(pid: int) -> int:
    """Return how many parts with rights or files of their own a process's memory has."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as file:
            return file.read().count(b"\n")
    except OSError:
        return 0


def _waited_by(pid: int) -> float:
    """Return how many seconds that thread of a process has been ready to run, and did not, that has so longest."""
    longest = 0
    for thread in _threads(pid):
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/task/{thread}/schedstat") as file:
            longest = max(longest, int(file.read().split()[1]))
    return longest / 1e9


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _sockets_beside(pids: list[int], loopback: bool) -> int:
    """Return how many bytes the sockets of these processes' network may hold, those that nobody has open included."""
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/net/sockstat", "rb") as file:
                held = int(file.readline().split()[2]) * SOCKET_BYTES  # sockets: used 4
            if loopback:  # without one no connection of TCP's comes about
                held += sum(_unread(pid, protocol) for protocol in ("tcp", "tcp6")) * TCP_TIMES
            return held
    return 0


def _unread(pid: int, protocol: str) -> int:
    """Return how many bytes lie in a network's connections, sent or unsent, that nobody has read yet."""
    path = f"/proc/{pid}/net/{protocol}"
    if not os.path.exists(path):  # a kernel without that version of the protocol
        return 0
    with open(path, "rb") as file:
        queues = [line.split()[4].split(b":") for line in file.readlines()[1:]]
    return sum(int(size, 16) for pair in queues for size in pair)


def kill_below(root: int) -> None:
    """Kill every process below a process, again and again until none is left (a killed one may have just forked)."""
    for _ in range(200):
        if not signal_below(root):
            return
        time.sleep(0.001)


def signal_below(root: int) -> bool:
    """Send SIGKILL to every living process below a process; return whether there was any."""
    pids = [pid for pid in below(root) if not _is_dead(pid)]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(pids)


def _share_of(pid: int) -> int:
    """Return a process's memory with what it shares divided by the sharers; all of it where the system won't say."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            text = file.read()
    except OSError:
        return _memory_of(pid)
    sizes = dict(line.split(":", 1) for line in text.splitlines()[1:])
    if not sizes:
        return _memory_of(pid)
    shared = sum(int(sizes.get(name, "0 kB").split()[0]) * 1024 for name in SHARED_KEPT)
    return shared + sum(_kept(pid, (b"VmPTE:",)))


def parent_of(pid: int) -> int:
    """Return the process id of a process's parent (Linux). Raises OSError when it is gone."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b") ")[2].split()[1])


def _is_dead(pid: int) -> bool:
    """Whether a process has ended, with all of its threads, and only waits to be collected."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in (b"Z", b"X") and len(_threads(pid)) <= 1
    except OSError:
        return sys.platform.startswith("linux")
