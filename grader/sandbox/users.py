"""User ids for a judge that runs as root: one for the server, and at the user level one for each worker."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import time
from pathlib import Path

# Above what Debian, Fedora and systemd hand out, below the 16-bit "nobody".
FIRST, COUNT = 61_200, 2_000
_counter = itertools.count()


def server_uid() -> int:
    """Return the id that this judge's server runs under; two judges at a time get different ones."""
    return FIRST + os.getpid() % 500


def worker_uid() -> int:
    """Return an id for one worker; it comes round again only after many others."""
    return FIRST + 500 + (os.getpid() * 37 + next(_counter)) % (COUNT - 500)


def kill_all(uid: int) -> None:
    """Kill every process of a user id, again and again until none is left."""
    for _ in range(200):
        pids = [entry for entry in os.listdir("/proc") if entry.isdigit() and _owner(entry) == uid]
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        time.sleep(0.002)


def _owner(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = file.read().split(b"\n")[1:]  # the first is the name, which the process chooses
    except OSError:
        return None
    said = dict(line.split(b":\t", 1) for line in lines if b":\t" in line)
    if said.get(b"State", b"").startswith(b"Z") and int(said.get(b"Threads", b"1")) <= 1:
        return None  # already dead, waiting to be collected
    return int(said[b"Uid"].split(b"\t", 1)[0])


def readable_by_others(path: Path) -> bool:
    """Whether an unprivileged user can reach and read this path."""
    path = path.resolve()
    for parent in path.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            return False
    mode = path.stat().st_mode
    return bool(mode & stat.S_IROTH) and (not path.is_dir() or bool(mode & stat.S_IXOTH))


def hide(paths: list[Path]) -> None:
    """Take these folders away from everybody but their owner."""
    for path in paths:
        if path.is_dir() and path.stat().st_mode & 0o077:
            path.chmod(path.stat().st_mode & ~0o077)
