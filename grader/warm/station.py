"""`python -m grader.warm.station`: has loaded what every run loads, and runs one command after another in forks.

It serves its own user, on a socket in the folder of what is kept between runs, and ends by itself: after a quarter of
an hour without a command, and as soon as a command comes from a grader, a Python or packages that are not those it has
loaded. A worker of the bubblewrap level finds no such socket; at other levels there is no station.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import sys
from typing import Any

from grader import syllabus
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError

from . import becoming, lent, places
from .client import SWITCH

IDLE_SECONDS = 15 * 60
PATIENCE_SECONDS = 5  # with whoever has connected and sends nothing
LOADED = (
    "torch", "numpy", "pytest", "pytest_timeout", "safetensors.torch", "psutil", "regex", "tiktoken", "yaml",
    "rich.console", "rich.live", "rich.table", "grader.commands.grade", "grader.judge.grading", "grader.judge.crew",
    "grader.reports.terminal.report", "grader.reports.terminal.live", "grader.reports.machines.json_report",
)  # fmt: skip


def main() -> None:
    """Load, then serve."""
    stamp = places.stamp()  # before anything is loaded: what changes meanwhile is noticed
    if levels.unavailable("bubblewrap") or places.taken() is None:
        return
    syllabus.load()
    workers = levels.workers("bubblewrap", "cpu")
    workers.boot()
    try:
        for name in LOADED:
            importlib.import_module(name)
        workers.wait()
        gc.freeze()  # all this will stay: no fork need look through it
        Station(workers, stamp).serve()
    except (SandboxError, OSError):
        return  # nobody is waiting for it
    finally:
        workers.close()


class Station:
    """Everything that is loaded, and the sandbox that runs."""

    def __init__(self, workers: Any, stamp: str, idle_seconds: float = IDLE_SECONDS) -> None:
        self._workers, self._stamp, self._idle = workers, stamp, idle_seconds

    def serve(self) -> None:
        """Become one command after another, each in a fork; return when there is nothing more to do."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with self._listening() as listener:
            while True:
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    return
                with contextlib.suppress(ChildProcessError):
                    while os.waitpid(-1, os.WNOHANG)[0]:
                        pass
                with client:
                    if not self._answer(client, listener):
                        return

    @contextlib.contextmanager
    def _listening(self) -> Any:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.settimeout(self._idle)
        before = os.umask(0o177)
        try:
            with places.short(places.state_folder(), places.SOCKET) as path:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                listener.bind(path)
        finally:
            os.umask(before)
        listener.listen()
        try:
            yield listener
        finally:
            listener.close()

    def _answer(self, client: socket.socket, listener: socket.socket) -> bool:
        """Run what a client asks for, or refuse; return whether there is more to expect of this station."""
        descriptors: list[int] = []
        try:
            client.settimeout(PATIENCE_SECONDS)
            data, descriptors, _, _ = socket.recv_fds(client, places.MOST_BYTES, 3)
            if not is_own(client) or len(descriptors) != 3:
                return True
            asked = json.loads(data)
            if asked["stamp"] != self._stamp:
                client.send(b"no")
                return False
            if not becoming.fits(os.environ, asked["environment"]):
                client.send(b"no")
                return True
            hold = self._workers.for_another_judge()
            client.settimeout(None)
            if os.fork() == 0:
                listener.close()
                _keep(client, asked, descriptors, hold)
            hold.hang_up()
        except SandboxError:
            return False  # the sandbox is gone
        except (OSError, ValueError, KeyError, TypeError):
            return True  # whoever it was is gone, or no client of ours
        finally:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        return True


def _keep(client: socket.socket, asked: dict[str, Any], descriptors: list[int], hold: Any) -> None:
    """Run a command in a fork of this one, and stay beside it: pass signals on, tell how it ends, outlive no client."""
    os.setsid()
    command = os.fork()
    if command == 0:
        client.close()
        os.umask(asked["umask"])
        becoming.become(asked["arguments"], asked["folder"], asked["environment"] | {SWITCH: "0"}, descriptors)
        lent.lend(hold)
        becoming.run()
    hold.hang_up()
    for descriptor in descriptors:
        os.close(descriptor)
    ended: Any = os.pidfd_open(command)
    with contextlib.suppress(OSError):
        client.send(b"yes")
    while True:
        ready, _, _ = select.select([ended, client], [], [])
        if ended in ready:
            break
        try:
            said = client.recv(10)
        except OSError:
            said = b""
        signal.pidfd_send_signal(ended, int(said) if said else signal.SIGHUP)
        if not said:
            client = socket.socket(socket.AF_UNIX)  # which never has anything to say
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(OSError):
        client.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def is_own(client: socket.socket) -> bool:
    """Whether a client is this user's, or root's who could do anything anyway."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in (os.geteuid(), 0)


if __name__ == "__main__":
    main()
    sys.exit(0)
