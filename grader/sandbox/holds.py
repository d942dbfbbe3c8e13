"""How the judge holds on to a worker, to end it with everything that it has started."""

from __future__ import annotations

import contextlib
import os
import signal

from . import users
from .warden import kill_below, parent_of, signal_below


class Namespace:
    """Hold on a worker that is the first process of a namespace: when it ends, the kernel ends all that is in there."""

    def __init__(self, pid: int) -> None:
        self.root = pid
        self._descriptor = os.pidfd_open(pid)  # unlike its number, it never stands for another process

    def kill(self) -> None:
        """Kill it, and with it everything."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def signal(self) -> None:
        """Kill it: there is no keeper to be spared."""
        self.kill()

    def __del__(self) -> None:
        os.close(self._descriptor)


class Below:
    """Hold on a worker by its keeper and the server, where there are no namespaces."""

    def __init__(self, pid: int, server: int, uid: int | None) -> None:
        self._keeper, self._uid = parent_of(pid), uid
        # The keeper ends with its worker, and what the worker has forked then stands below the server.
        self.root = server

    def signal(self) -> None:
        """Kill the worker, but not the keeper: it says how its worker ended, and ends."""
        signal_below(self._keeper)

    def kill(self) -> None:
        """Kill whatever is left, until nothing is."""
        kill_below(self._keeper)  # the keeper still collects its worker; then what escaped it
        kill_below(self.root)
        if self._uid is not None:
            users.kill_all(self._uid)
