"""What every act of a capstone does alike: it says what goes on, and keeps what was learned."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grader.counting import counted
from grader.judge.outcomes import CheckFailed
from grader.reports.text_file import ReportError
from grader.sandbox.errors import StudentError, WorkerLost

from . import keepsake, kept, screen
from .patience import Patience
from .stage import Cast, Stage

TEMPERATURE, TOP_K = 0.6, 40  # with which a kept model writes
TROUBLES = (StudentError, WorkerLost, CheckFailed, ReportError)


class Act:
    """One thing that a model learns, and what it has come to so far."""

    nothing = "It had not begun to learn, so there is nothing to keep."
    writes = "a story"

    def __init__(
        self, stage: Stage, folder: Path, device: str, show: screen.Screen, texts: str = keepsake.STORIES
    ) -> None:
        self.stage, self.folder, self.device, self.show = stage, folder, device, show
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
        """Have the kept model write, each text kept when it ends; what goes wrong becomes `trouble`."""
        assert self.model is not None
        self.doing = f"m07 wrote {self.writes}"
        try:
            with self.stage.cast() as cast:
                cast.restore(self.model, self.device)
                for seed, begin in enumerate(self.begins()):
                    self.write_one(cast, begin, seed)
                    if self.patience.over:
                        break
        except TROUBLES as error:
            self.note(error)
        finally:
            self.keep_run()

    def begins(self) -> Sequence[Any]:
        """Return what the kept model is asked to go on from."""
        raise NotImplementedError

    def write_one(self, cast: Cast, begin: Any, seed: int) -> None:
        """Have the kept model go on from one of these, and add what came of it to the run's texts."""
        raise NotImplementedError

    def go_on(self, cast: Cast, prompt: str, seed: int, flow: screen.Flow, most: int, written: list[str]) -> None:
        """Print a text while it is being written, and add its pieces to `written`; Ctrl-C ends it in good order."""

        def say(text: str) -> bool:
            written.append(text)
            flow.write(text)
            return self.patience.over

        try:
            with self.patience.asked_first(lambda: None):
                cast.write(prompt, seed, most=most, temperature=TEMPERATURE, top_k=TOP_K, say=say)
        finally:
            flow.end()

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


def reading_left(started: float, share: float) -> float:
    """Return how many seconds something takes on that has come so far since it started."""
    return (time.monotonic() - started) * (1 - share) / max(share, 0.01)


def training_left(started: float, step: int, steps: int, seconds: float) -> float:
    """Return how many seconds a training goes on: until its last step, or until its time is over."""
    spent = time.monotonic() - started
    return max(0.0, min(seconds - spent, spent / max(1, step) * (steps - step)))
