"""A worker with a module loaded, for the tests of the sandbox, and a view in which other users can be tried."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import support

from grader.sandbox import levels, warden
from grader.sandbox.errors import WorkerLost
from grader.sandbox.limits import Limits

LIMITS = Limits(seconds=5, memory_mb=300, processes=20, file_mb=4, output_kb=64)
LEVELS = [name for name in ("bubblewrap", "process") if levels.unavailable(name) is None]
here = pytest.mark.parametrize("level", LEVELS)


class Opened:
    """A worker with a module loaded, for use in a with statement."""

    def __init__(self, code: str, level: str, limits: Limits = LIMITS, start: str = "fork") -> None:
        self.worker = support.sandbox(level, start).worker(limits)
        self.worker.set_deadline(limits.seconds)
        self.load = {"sources": {"m99_trial.py": textwrap.dedent(code).encode()}, "module": "m99_trial"}

    def __enter__(self):
        self.worker.conversation.request("load", **self.load, trace=[], blocked=[])
        return self

    def __exit__(self, *exception: object) -> None:
        self.worker.end()

    def call(self, name: str, *args: object) -> object:
        """Call a function of the module."""
        return self.worker.conversation.get(None, name)(*args)


SPY = """
    import os, sys, socket

    def read(path):
        try:
            with open(path, "rb") as file:
                return len(file.read(10))
        except OSError as error:
            return type(error).__name__

    def identity():
        return [os.getpid(), os.getuid(), sorted(os.environ)]

    def folders(path):
        return sorted(os.listdir(path))

    def connect(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return "connected"
        except OSError as error:
            return type(error).__name__

    def write(path):
        try:
            with open(path, "w") as file:
                file.write("x")
            return "written"
        except OSError as error:
            return type(error).__name__

    def descriptors():
        found = []
        for fd in range(256):
            try:
                os.fstat(fd)
                found.append(fd)
            except OSError:
                pass
        return found

    def new_user_namespace():
        import ctypes
        return ctypes.CDLL(None, use_errno=True).unshare(0x10000000)

    def kill_everything():
        os.kill(-1, 9)

    def open_ports():
        return 0
"""


def loses(level: str, code: str, **limits: float) -> WorkerLost:
    """Run `go()` and return how the worker was lost; nothing of it may be left."""
    with Opened(code, level, LIMITS.changed(**limits)) as opened:
        start = time.monotonic()
        with pytest.raises(WorkerLost) as lost:
            opened.call("go")
        assert time.monotonic() - start < LIMITS.seconds + 2
    assert nothing_left(level, opened.worker.warden.root)
    return lost.value


def nothing_left(level: str, worker: int) -> bool:
    """Whether, within a second, no process is left below the server but the worker kept ready for the next check.

    Where there is no server, as on systems where none can be forked, it is the worker itself that has to be gone.
    """
    kept = 2 if level == "bubblewrap" else 0  # a keeper and its worker
    deadline = time.monotonic() + 1
    while (left := alive(level, worker)) > kept and time.monotonic() < deadline:
        time.sleep(0.01)
    return left <= kept


def alive(level: str, worker: int) -> int:
    """Count the processes below the server, or of a worker without one, that have not ended."""
    server = getattr(support.sandbox(level), "_pid", None)
    pids = [worker, *warden.below(worker)] if server is None else warden.below(server)
    return sum(not warden._is_dead(pid) for pid in pids)


def in_private_view(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a mount namespace where other users can read the interpreter, as on most machines."""
    prefix = Path(sys.base_prefix).resolve()
    hidden = next((p for p in [*reversed(prefix.parents), prefix] if not p.stat().st_mode & 0o001), None)
    lines = ["mount --make-rprivate /"]
    if hidden is not None and hidden != prefix:
        lines += [
            f"mount --bind {prefix} /mnt",
            f"mount -t tmpfs -o mode=755 none {hidden}",
            f"mkdir -p {prefix}",
            f"mount --move /mnt {prefix}",
        ]
    modes = {path: path.stat().st_mode for name in levels.PRIVATE if (path := support.REPOSITORY / name).is_dir()}
    script = tmp_path / "view.sh"
    script.write_text("\n".join([*lines, 'exec "$@"']))
    for path, mode in modes.items():  # a test before this one may have left them closed
        path.chmod((mode | 0o055) & 0o7777)
    try:
        return subprocess.run(
            ["unshare", "--mount", "bash", str(script), *command],
            capture_output=True, text=True, cwd=support.REPOSITORY, timeout=300, check=False,
        )  # fmt: skip
    finally:
        for path, mode in modes.items():  # the user level takes them away from other users
            path.chmod(mode & 0o7777)
