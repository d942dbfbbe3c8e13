"""One worker process as the judge holds it: its channel, its warden, and its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from .conversation import Answer, Conversation, Message
from .errors import WorkerLost
from .inside.wire import MAX_ANSWERS, Channel, WireError
from .warden import Warden


class Worker:
    """A process that runs the student's code for one check (or, where forking is unsafe, for one milestone)."""

    def __init__(self, channel: Channel, warden: Warden, finish: Callable[[bool], int | None]) -> None:
        self.channel, self.warden, self._finish = channel, warden, finish
        self.conversation = Conversation(self)
        self.mounts: dict[str, str] = {}  # a file of the judge's -> where the worker finds it
        self._iterations = 0  # over something in the worker, that the judge is in the middle of
        self.exit_code: int | None = None
        self.ended = False

    def wait_until_ready(self) -> None:
        """Wait for the worker's first word. Raises WorkerLost when it never comes."""
        node, _ = self._receive()
        if node != {"ready": True}:
            raise WorkerLost(nonsense="no greeting")

    def exchange(self, node: Any, buffers: list[Any], answer: Answer) -> Message:
        """Send a request, answer the questions that come back, return the reply (a `Transport`).

        The clock runs only here: what the judge does between two requests is not the student's time.
        """
        if self.ended:
            raise self._lost(None)
        self.warden.run_clock(True)
        try:
            self._send(node, buffers)
            while True:
                reply, reply_buffers = self._receive()
                if isinstance(reply, dict) and "seen" in reply:
                    self.conversation.saw(reply["seen"])
                    continue
                if not (isinstance(reply, dict) and "ask" in reply):
                    return reply, reply_buffers
                try:
                    self._send(*answer(reply["ask"], reply_buffers))
                except WireError:
                    raise WorkerLost(nonsense="a question whose answer would be too large") from None
                self.warden.run_clock(True)  # the judge's function may have asked for something itself
        finally:
            self.warden.run_clock(self._iterations > 0)

    @contextlib.contextmanager
    def iterating(self) -> Iterator[None]:
        """Let the clock run on: over how many items the judge iterates, and how dear they are, the worker decides."""
        self._iterations += 1
        try:
            yield
        finally:
            self._iterations -= 1
            self.warden.run_clock(self._iterations > 0)

    def set_deadline(self, seconds: float | None) -> None:
        """Let the student's code take this many seconds in all from now on; None: as long as it likes."""
        self.warden.allow(seconds)

    def expect_anew(self) -> None:
        """Take as much from it as from a fresh one: what it has sent so far was asked for, and is not kept."""
        self.channel.left = list(MAX_ANSWERS)

    def hold_back(self, megabytes: float | None) -> None:
        """Kill it when it grows by more than this while it waits for its check; None: when its own limit says so."""
        self.warden.hold_back(megabytes)

    def memory_mb(self) -> float:
        """Return by how much the worker has grown, as seen from outside."""
        return self.warden.memory() / 2**20

    def cpu_seconds(self) -> float:
        """Return the processor time used, as seen from outside."""
        return self.warden.cpu_seconds()

    @property
    def answered_mb(self) -> float:
        """How much the worker has sent."""
        left = self.channel.left
        return (sum(MAX_ANSWERS) - sum(left)) / 2**20 if left is not None else 0.0

    @property
    def peak_mb(self) -> float:
        """The largest growth that the warden has seen."""
        return self.warden.peak / 2**20

    @property
    def output(self) -> str:
        """What the student's code printed so far."""
        return self.warden.output.decode("utf-8", "backslashreplace")

    @property
    def limit_broken(self) -> str | None:
        """Which limit the worker was killed at, if any."""
        return self.warden.broken

    def settle(self) -> None:
        """Judge what it has printed and held so far by its limits; `limit_broken` says so afterwards."""
        self.warden.settle()

    def forget_output(self) -> None:
        """Begin anew with what it prints: for the next check in the same process."""
        self.warden.forget_output()

    def kill(self) -> None:
        """Kill it from another thread than the one that speaks with it, which finds it lost."""
        self.warden.kill()

    def end(self, wait: bool = False) -> None:
        """Kill whatever is left of it and collect what it printed. Safe to call twice.

        With `wait`, how it ended is known afterwards.
        """
        if self.ended:
            return
        self.ended = True
        self.warden.run_clock(False)  # how long it takes to collect it, while a server boots, is nobody's time
        self.channel.close()
        self.exit_code = self._finish(wait)
        self.warden.stop()

    def _send(self, node: Any, buffers: list[Any]) -> None:
        try:
            self.channel.send(node, buffers)
        except OSError as error:
            raise self._lost(error) from None

    def _receive(self) -> Message:
        try:
            return self.channel.receive()
        except WireError as error:
            self.end(wait=True)
            limit = self.warden.broken  # which may be known only now
            raise (WorkerLost(limit=limit) if limit else WorkerLost(nonsense=str(error))) from None
        except (EOFError, OSError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception | None) -> WorkerLost:
        self.end(wait=True)
        return WorkerLost(limit=self.warden.broken, exit_code=self.exit_code)
