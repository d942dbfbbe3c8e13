"""The inline level: the student's code in the judge's own process, so that a debugger works. Practice only."""

from __future__ import annotations

import contextlib
import gc
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from .conversation import Answer, Conversation, Message
from .inside.session import Session
from .limits import Limits
from .packages import Own, allowed_packages


class InlineWorker:
    """Speaks the same wire as the other levels, without a process in between; no limit is enforced."""

    def __init__(self, device: str, capture: bool) -> None:
        import torch

        self.folder = tempfile.mkdtemp(prefix="scratchwork-")
        self.session = Session(self.folder, device)
        self.conversation = Conversation(self)
        self.mounts: dict[str, str] = {}
        self.output, self.exit_code, self.limit_broken, self.peak_mb = "", None, None, 0.0
        self.ended = False
        self._collects = gc.isenabled()
        self._capture = capture
        self._path, self._dtype, self._grad = list(sys.path), torch.get_default_dtype(), torch.is_grad_enabled()
        self._start_memory = self._memory()

    def exchange(self, node: Any, buffers: list[Any], answer: Answer) -> Message:
        """Carry out a request here and now (a `Transport`)."""
        self.session.passes = () if self._capture else (KeyboardInterrupt,)  # of somebody at a debugger
        with self._captured():
            reply, out = self.session.handle(node, copied(buffers), lambda n, b: asked(answer, n, b))
        return reply, copied(out)

    def set_deadline(self, seconds: float | None) -> None:
        """Inline there is no deadline: a debugger may take its time."""

    def settle(self) -> None:
        """Inline no limit is enforced."""

    def forget_output(self) -> None:
        """Inline a worker serves one check."""

    def memory_mb(self) -> float:
        """Return by how much this process has grown."""
        return max(0.0, self._memory() - self._start_memory)

    def cpu_seconds(self) -> float:
        """Return the processor time of this process.

        From here to its end no garbage is collected: to look through all that the judge has takes longer than the work.
        """
        gc.disable()
        used = psutil.Process().cpu_times()
        return used.user + used.system

    def end(self) -> None:
        """Forget the submission's modules and its private folder, and what it has switched for all of torch."""
        import torch

        if self.ended:
            return
        self.ended = True
        if self._collects:
            gc.enable()
        sys.path[:] = self._path
        torch.set_default_dtype(self._dtype)
        torch.set_grad_enabled(self._grad)
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def _captured(self) -> Iterator[None]:
        if not self._capture:
            yield
            return
        text = io.StringIO()
        try:
            with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                yield
        finally:
            self.output += text.getvalue()

    @staticmethod
    def _memory() -> float:
        return psutil.Process().memory_info().rss / 2**20


class InlineWorkers:
    """Hands out inline workers."""

    def __init__(self, device: str, capture: bool = False) -> None:
        self.level, self.device, self._capture = "inline", device, capture
        self.checkpoints: dict[str, Path] = {}  # large files that all workers may read, by kind

    reusable = False  # whether one worker may serve several checks
    side_by_side = False  # whether two workers may run at the same time

    def boot(self) -> None:
        """Nothing to start."""

    def wait(self) -> None:
        """Nothing to wait for."""

    def having(self, own: Own) -> InlineWorkers:
        """Return what hands out workers with these packages: this. Raises SandboxError where one isn't installed."""
        allowed_packages(own)
        return self

    def worker(self, limits: Limits, warm: tuple[str, ...] = ()) -> InlineWorker:
        """Return a worker in this process."""
        import torch

        torch.set_num_threads(limits.threads)
        worker = InlineWorker(self.device, self._capture)
        worker.mounts = {str(path): str(path) for path in self.checkpoints.values()}
        return worker

    def close(self) -> None:
        """Nothing to end."""


def copied(buffers: list[Any]) -> list[bytearray]:
    """Give each side memory of its own, as a process border would."""
    return [bytearray(buffer) for buffer in buffers]


def asked(answer: Answer, node: Any, buffers: list[Any]) -> Message:
    """Pass a question of the student's code to the judge."""
    reply, out = answer(node["ask"], copied(buffers))
    return reply, copied(out)
