"""Where the station of this copy of the course is met, and what it must have been made of to be of any use.

Only the standard library is imported here: this runs before anything else of a command does.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOCKET, LOCK = "warm.sock", "warm.lock"
MOST_BYTES = 1 << 20  # of one request, with its environment
KINDS = (".py", ".toml", ".ini", ".json", ".html", ".css", ".js")


def state_folder() -> str:
    """Return the folder of what is kept between runs."""
    return os.environ.get("SCRATCHWORK_STATE") or os.path.join(ROOT, ".scratchwork")


@contextlib.contextmanager
def short(folder: str, name: str) -> Iterator[str]:
    """Lend a path to a file in a folder that is short enough for a socket's address, however deep the folder lies."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def taken() -> int | None:
    """Take the place of the one station that there may be; None where it is taken, or there can be none."""
    import fcntl  # not on Windows, where nothing forks

    try:
        os.makedirs(state_folder(), mode=0o700, exist_ok=True)
        lock = os.open(os.path.join(state_folder(), LOCK), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def stamp() -> str:
    """Return a hash of names, times and sizes of the grader's files, and of the Python and packages that it runs on.

    Whatever is installed, removed or edited changes it.
    """
    digest = hashlib.sha256(f"{sys.executable} {sys.version}".encode())
    for folder in sys.path:
        if folder.endswith("-packages"):
            _add(digest, folder, os.stat(folder))
    for top in ("grader", "fixtures"):
        for folder, folders, files in os.walk(os.path.join(ROOT, top)):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in sorted(files):
                if name.endswith(KINDS):
                    path = os.path.join(folder, name)
                    _add(digest, path, os.stat(path))
    return digest.hexdigest()


def _add(digest: hashlib._Hash, path: str, status: os.stat_result) -> None:
    digest.update(f"{path}\0{status.st_mtime_ns} {status.st_size} {status.st_ino}\0".encode())
