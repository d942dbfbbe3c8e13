"""What every act of a capstone does alike: it says what goes on, and keeps what was learned."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grader.counting import counted
from grader.judge.outcomes import CheckFailed
from grader.reports.text_file import ReportError
from grader.sandbox.errors import StudentError, WorkerLost

from . import keepsake, kept, screen
from .patience import Patience
from .stage import Stage

TROUBLES = (StudentError, WorkerLost, CheckFailed, ReportError)


class Act:
    """One thing that a model learns, and what it has come to so far."""

    nothing = "It had not begun to learn, so there is nothing to keep."

    def __init__(self, stage: Stage, folder: Path, show: screen.Screen, texts: str = keepsake.STORIES) -> None:
        self.stage, self.folder, self.show = stage, folder, show
        self.run = keepsake.Run(texts)
        self.model: kept.Model | None = None  # as it was kept last
        self.trouble: Exception | None = None  # the first: one of TROUBLES
        self.doing = ""
        self.failed_at = ""  # what was being done when the trouble came
        self.patience = Patience()
        self.stopped = False  # whether somebody has ended the training in good order
        self._moved = False

    def train(self) -> None:
        """Learn; what goes wrong becomes `trouble`."""
        raise NotImplementedError

    def write(self) -> None:
        """Have the kept model write; what goes wrong becomes `trouble`."""
        raise NotImplementedError

    def keep_model(self, model: kept.Model) -> None:
        """Write a model into the folder; what an earlier run left there is moved aside before. Raises ReportError."""
        if not self._moved:
            keepsake.set_aside(self.folder, (*self.run.names, *kept.NAMES))
            self._moved = True
        kept.keep(model, self.folder)
        self.model = model
        self.keep_run(picture=False)

    def keep_run(self, picture: bool = True) -> None:
        """Write what happened beside the model, where there is one."""
        if self.model is None:
            return
        try:
            keepsake.keep(self.run, self.folder, picture=picture)
        except ReportError as error:
            self.note(error)

    def note(self, error: Exception) -> None:
        """Keep the first trouble: whatever comes later may come of it."""
        if self.trouble is None:
            self.trouble, self.failed_at = error, self.doing

    def result(self) -> str:
        """Say in a few words what came of it."""
        assert self.model is not None
        loss = f", held-out loss {self.model.heldout:.3f}" if self.model.heldout is not None else ""
        return f"{counted(self.model.step, 'step')}{loss}"

    def files(self) -> list[str]:
        """Name what is kept in the folder."""
        return [name for name in (kept.WEIGHTS, *self.run.names) if (self.folder / name).is_file()]

    def onward(self) -> str:
        """Say what can be done with it."""
        assert self.model is not None
        begin = "Tell it what to do" if self.model.answers else "Tell it how a story begins"
        return f"{begin}: {self.chat(self.folder)}"

    def chat(self, folder: Path) -> str:
        """Return the command that lets a kept model write."""
        where = "" if str(folder) == kept.FOLDER else f" -- --model {shlex.quote(str(folder))}"
        return f"nox -s chat{where}"

    def losses(self) -> list[float]:
        """Return the losses of all steps."""
        return [value for _, value in self.run.losses]

    def step(self, what: str, act: Callable[[], Any], said: Callable[[Any], str]) -> Any:
        """Do one thing, and say what came of it and how long it took."""
        self.doing, started = what, time.monotonic()
        with self.show.doing(what):
            result = act()
        self.show.done(what, f"{said(result)} ({screen.lasted(time.monotonic() - started)})")
        return result
