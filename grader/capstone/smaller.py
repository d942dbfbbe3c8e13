"""A kept model made smaller in all ways that somebody has written: a table of loss, bytes and speed."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.counting import counted
from grader.judge import asked
from grader.judge.errors import UsageProblem
from grader.judge.outcomes import CheckFailed
from grader.reports.text_file import write_report

from . import driver_smaller, keepsake, kept, screen
from .act import TROUBLES, Act, training_left
from .performance import MINUTE
from .stage import Cast, Stage
from .ways import Way

SECONDS = 600.0  # for any one way, besides training


COLUMNS = f"{'':<28}{'held-out loss':>13}{'bytes':>13}{'tokens a second':>17}"


@dataclass
class Plan:
    """What was asked for."""

    ways: Collection[Way]
    model: kept.Model
    steps: int
    minutes: int
    device: str
    folder: Path


class Smaller(Act):
    """One model, and what it is in each of several ways."""

    nothing = "Nothing was measured, so there is nothing to keep."

    def __init__(self, stage: Stage, plan: Plan, show: screen.Screen) -> None:
        super().__init__(stage, plan.folder, plan.device, show)
        self.plan, self._started = plan, 0.0
        self._table: list[tuple[str, float, int, float | None]] = []
        self._kept: list[str] = []

    def train(self) -> None:
        """Try one way after another; the table and what is kept are on disk before the next. Trouble is noted."""
        if not self.plan.model.rows:
            raise UsageProblem(
                "This model was kept without the texts that its loss was measured on; nox -s capstone trains another."
            )
        self._started = time.monotonic()
        stopping = "It stops after this; Ctrl-C again ends at once."
        try:
            with contextlib.ExitStack() as stack:
                cast = stack.enter_context(self.stage.cast())
                stack.enter_context(self.patience.asked_first(lambda: self.show.say(stopping)))
                self.doing = "the model was brought back"
                cast.restore(self.plan.model, self.plan.device)
                self.show.say("What its matrices take, and what that costs:")
                self.show.say(COLUMNS, "dim", 2)
                stack.enter_context(self.show.doing("It is made smaller"))
                for done, way in enumerate(self.plan.ways):
                    self.show.progress(done / len(self.plan.ways), way.says)
                    if self.patience.over or self._left() <= 0:
                        over = "You have stopped it" if self.patience.over else "The time is over"
                        self.show.say(f"{over}: {counted(len(self.plan.ways) - done, 'way')} not tried.")
                        self.stopped = True
                        break
                    self._try(cast, way)
        except TROUBLES as error:
            self.note(error)

    def write(self) -> None:
        """Nothing: its models are the next one's to try."""

    def _left(self) -> float:
        return self._started + self.plan.minutes * MINUTE - time.monotonic()

    def _try(self, cast: Cast, way: Way) -> None:
        self.doing = f"a model was made smaller: {way.says}"
        seconds, began = max(1.0, self._left()) if way.trains else 0.0, time.monotonic()
        cast.allow(SECONDS + seconds)

        def tell(step: int) -> bool:
            left = training_left(began, step, self.plan.steps, seconds)
            self.show.progress(step / self.plan.steps, f"m14 trains on, step {step} of {self.plan.steps}", left)
            return self.patience.over

        def keep(step: int, weights: dict[str, Any]) -> None:
            model = replace(self.plan.model, weights=weights, step=self.plan.model.step + step, heldout=None)
            folder = self.plan.folder / way.folder
            folder.mkdir(exist_ok=True)
            keepsake.set_aside(folder, kept.NAMES)
            kept.keep(model, folder)
            self._kept.append(way.folder)

        more: list[Any] = []
        if way.trains:
            more += [{"steps": self.plan.steps, "seconds": seconds}, cast.student.callback(tell, asked.of(int))]
        if way.folder:
            more += [cast.student.callback(keep, asked.of(int), kept.weights)]
        function = getattr(cast.student.plant(driver_smaller), way.function)
        found = function(cast.parts.the("model"), self.plan.model.rows, *more)
        loss, stored, speed = _figures(found, way)
        self._table.append((way.says, loss, stored, speed))
        if self.model is None:
            keepsake.set_aside(self.plan.folder, [keepsake.TABLE])
        says = f"{speed:,.0f}" if speed is not None else "–"
        self.show.say(f"{way.says:<28}{loss:>13.3f}{stored:>13,}{says:>17}", indent=2)
        write_report(self.plan.folder / keepsake.TABLE, self._csv())
        self.model = self.plan.model

    def _csv(self) -> bytes:
        text = io.StringIO(newline="")
        rows = csv.writer(text)
        rows.writerow(["way", "heldout_loss", "bytes", "tokens_per_second"])
        for says, loss, stored, speed in self._table:
            rows.writerow([says, f"{loss:.4f}", stored, f"{speed:.1f}" if speed is not None else ""])
        return text.getvalue().encode()

    def result(self) -> str:
        """Say how many ways were measured."""
        return f"{counted(len(self._table), 'row')}; – stands where it computes as before, in whole floats"

    def files(self) -> list[str]:
        """Name what is kept."""
        return [keepsake.TABLE, *self._kept]

    def onward(self) -> str:
        """Name the command for what is kept."""
        return f"Let it write: {self.chat(self.plan.folder / self._kept[-1])}" if self._kept else ""


def _figures(found: Any, way: Way) -> tuple[float, int, float | None]:
    match found:
        case (float(loss), int(stored), float() | None as speed) if stored >= 0 and (speed is None or speed > 0):
            return loss if math.isfinite(loss) else math.nan, stored, speed
    raise CheckFailed(f"What came back for {way.says} are no figures.")
