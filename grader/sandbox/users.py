"""User ids for a judge that runs as root: one for the server, and at the user level one for each worker."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path

from .errors import SandboxError

# Above what Debian, Fedora and systemd hand out, below the 16-bit "nobody".
FIRST, COUNT = 61_200, 2_000
SERVERS, WORKERS = range(FIRST, FIRST + 500), range(FIRST + 500, FIRST + COUNT)
SHARED_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock", "/run/shm", "/var/crash")
_counter = itertools.count()
_claimed: dict[int, int] = {}  # id -> the lock that says that it is ours


def server_uid() -> int:
    """Return an id for a server; two judges at a time get different ones."""
    return _claim(SERVERS, os.getpid())


def worker_uid() -> int:
    """Return an id for one worker that no other has now; it comes round again only after many others."""
    return _claim(WORKERS, os.getpid() * 37 + next(_counter))


def _claim(ids: range, start: int) -> int:
    """Return the first free id from a place on, and keep it until `release`: who has it is killed by it."""
    import fcntl  # not on Windows, where nobody is root

    folder = _locks()
    for step in range(len(ids)):
        uid = ids[(start + step) % len(ids)]
        lock = os.open(os.path.join(folder, str(uid)), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        _claimed[uid] = lock
        return uid
    raise SandboxError(f"all {len(ids)} user ids for the sandbox are in use")


def release(uid: int) -> None:
    """Let others have an id. Safe to call twice."""
    lock = _claimed.pop(uid, None)
    if lock is not None:
        os.close(lock)


def _locks() -> str:
    """Return the folder of the locks, root's alone. Raises SandboxError when somebody else has made it."""
    parent = next(path for path in ("/run/lock", "/run", tempfile.gettempdir()) if os.access(path, os.W_OK))
    folder = os.path.join(parent, "scratchwork-users")
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise SandboxError(f"{folder} is not a folder of root's alone; remove it")
    return folder


def kill_all(uid: int) -> None:
    """Kill every process of a user id that is ours, again and again until none is left."""
    if uid not in _claimed:
        return  # released, and perhaps somebody else's already
    for _ in range(200):
        pids = [entry for entry in os.listdir("/proc") if entry.isdigit() and _owner(entry) == uid]
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        time.sleep(0.002)


def remove_all(uid: int) -> None:
    """Remove what a user id has left in the folders that everybody may write to: the next check could find it there.

    Nothing of that user's may run any more, or it could put links in the way.
    """
    remove_messages(uid)
    for folder in {*open_folders(), tempfile.gettempdir()}:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == uid:
                        remove(entry.path)


def remove_messages(uid: int) -> None:
    """Remove a user id's segments, queues and semaphores of System V's: whose calls are not refused could make some."""
    libc = ctypes.CDLL(None)
    for kind, control in {"shm": libc.shmctl, "msg": libc.msgctl, "sem": libc.semctl}.items():
        with contextlib.suppress(OSError), open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
            names, *rows = [line.split() for line in file]
            for row in rows:
                if str(uid) in (row[names.index("uid")], row[names.index("cuid")]):
                    control(int(row[1]), 0, 0)


@functools.cache
def open_folders(root: str = "/") -> tuple[str, ...]:
    """Return the folders that everybody may write to; they are looked for only where no Landlock keeps workers out."""
    from .inside import landlock

    if landlock.version():
        return SHARED_FOLDERS
    look = ["find", root, "(", "-path", "/proc", "-o", "-path", "/sys", ")", "-prune"]
    look += ["-o", "-type", "d", "-perm", "-0002", "-print0"]
    with contextlib.suppress(OSError):
        found = subprocess.run(look, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        return (*SHARED_FOLDERS, *map(os.fsdecode, filter(None, found.split(b"\0"))))
    return SHARED_FOLDERS


def remove(path: str) -> None:
    """Remove a file or a folder, also one that is nested deeper than Python's own function can follow."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    except RecursionError:
        subprocess.run(["rm", "-rf", "--", path], check=False)


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
