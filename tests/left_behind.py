"""What an attack may have left: processes, files, a machine that is no longer what it was."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from grader.sandbox import packages, users
from grader.sandbox.warden import below

MARK = f"sw{os.getpid() % 1_000_000:06}x"  # of what an attack makes here: two runs at a time don't take each other's
ANY_MARK = re.compile(r"sw\d{6}x")
GROUND = "battle-ground-"
SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/run")


def living_below(root: int) -> dict[int, bytes]:
    """Return the processes below one, with what tells each from a later one of the same id: when it started."""
    return {pid: started for pid in below(root) if (started := _started(pid))}


def left_processes(suspects: dict[int, bytes]) -> list[str]:
    """Return which of the suspects are still there, and what bears an attack's name.

    The server keeps a worker in reserve: a suspect is one that the next submissions should have used up.
    """
    end = time.monotonic() + 3
    while True:
        found = [f"{pid} {_name(pid)}" for pid, started in suspects.items() if _started(pid) == started]
        pids = map(int, filter(str.isdigit, os.listdir("/proc")))
        found += [f"{pid} {_name(pid)}" for pid in pids if _name(pid).startswith(MARK) and _started(pid)]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.05)  # the dead may take a moment to go


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().decode("ascii", "replace").strip()
    except OSError:
        return ""


def _started(pid: int) -> bytes:
    """Return when a process started, as the system counts; nothing for one that is dead or not there."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return b""
    # A process whose main thread alone has ended reads like a dead one; its threads are counted still.
    dead = not fields or (fields[0] in (b"Z", b"X") and int(fields[17]) <= 1)
    return b"" if dead else fields[19]


def lying() -> set[tuple[str, int]]:
    """Return what lies in folders that everybody may write to: paths and inodes."""
    return {(entry.path, entry.inode()) for entry in _shared()}


def left_files(before: Collection[tuple[str, int]] = ()) -> set[str]:
    """Return what lies in those folders, was not there before, and was put there by a submission."""
    return {entry.path for entry in _shared() if (entry.path, entry.inode()) not in before and _suspicious(entry)}


def _shared() -> Iterator[os.DirEntry[str]]:
    for folder in SHARED:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from entries


def torchs_own(name: str) -> bool:
    """Whether torch makes this folder in the judge, when a part of it is imported for the first time."""
    return name.startswith("torchinductor_")


def _suspicious(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith((GROUND, "scratchwork-")) or ANY_MARK.match(entry.name):
        return entry.name.startswith(MARK)  # the others are judges' own folders, and of other runs
    try:
        owner = entry.stat(follow_symlinks=False).st_uid
    except OSError:
        return False
    return owner in users.WORKERS


def clear_up(before: Collection[tuple[str, int]] = ()) -> None:
    """Take away what an attack has left that was not there before, so that it does not spoil the next test."""
    for line in left_processes({}):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)
    for path in left_files(before):
        remove(path)


def remove(path: str) -> None:
    """Remove a file or a folder, also one that is deeper than Python's own functions go."""
    subprocess.run(["rm", "-rf", "--", path], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def private_temporary_folder() -> Iterator[str]:
    """Have the judge make its workers' folders where a test can look for what is left of them."""
    folder = tempfile.mkdtemp(prefix=GROUND)
    os.chmod(folder, 0o711)  # the user level's workers pass through
    kept, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield folder
    finally:
        tempfile.tempdir = kept
        remove(folder)


@functools.cache
def precious() -> list[Path]:
    """Return files that an attack could want to change: the sandbox's code, Python, torch, the machine's accounts."""
    library = Path(packages.standard_library()[0])
    site = packages.allowed_packages()
    found = [*packages.INSIDE.glob("*.py"), *library.glob("*.py"), packages.interpreter()]
    found += [site["torch"] / "__init__.py", site["numpy"] / "__init__.py", Path("/etc/passwd"), Path("/etc/hostname")]
    return [path for path in found if path.is_file()]


def state_of_the_machine() -> str:
    """Return a digest of what the precious files are, and of what lies beside the sandbox's code."""
    digest = hashlib.sha256()
    for path in precious():
        status = path.stat()
        digest.update(f"{path} {status.st_mode} {status.st_uid} {status.st_size} {status.st_mtime_ns}\n".encode())
    names = sorted(path.name for path in packages.INSIDE.iterdir() if path.name != "__pycache__")
    digest.update("\n".join(names).encode())
    return digest.hexdigest()
