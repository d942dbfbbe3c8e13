"""A kept model that learns more by example; each result is kept in a folder of its own, and the one before stays."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from grader.counting import counted
from grader.judge import asked
from grader.judge.errors import UsageProblem
from grader.judge.outcomes import CheckFailed
from grader.sandbox.errors import WorkerLost

from . import driver_lessons, keepsake, kept, screen
from .act import TROUBLES, Act, reading_left, training_left
from .examples import LEAST, Example, Examples
from .performance import CHECKS, LONGEST, MINUTE
from .stage import Cast, Stage

HELDOUT = 160  # examples that are looked at
ASKED = 3  # of them in the end


@dataclass(frozen=True)
class Kind:
    """What is learned by example, and how it is said."""

    milestone: str
    teaches: str  # m10 fine-tunes …
    taught: str
    noun: str
    read: str  # functions of the driver
    learn: str
    folder: str  # below that of the model that it begins with
    steps: int  # unless others are asked for
    peak: float  # learning rate


FINE_TUNING = Kind(
    "m10", "m10 fine-tunes it", "m10 fine-tuned the model", "instruction", "read_instructions", "finetune",
    "finetuned", 300, 1e-3,
)  # fmt: skip

ALIGNING = Kind(
    "m12", "m12 aligns it", "m12 aligned the model", "pair", "read_pairs", "align",
    "aligned", 100, 2e-4,
)  # fmt: skip


@dataclass
class Plan:
    """What was asked for."""

    kind: Kind
    examples: Examples
    model: kept.Model
    steps: int
    minutes: int
    device: str
    folder: Path


class Lesson(Act):
    """One kind of examples, learned by one model."""

    writes = "an answer"

    def __init__(self, stage: Stage, plan: Plan, show: screen.Screen) -> None:
        super().__init__(stage, plan.folder, plan.device, show, keepsake.ANSWERS)
        self.plan = plan

    def train(self) -> None:
        """Learn the examples; the best that came of it is kept while it goes on. What goes wrong becomes `trouble`."""
        try:
            with self.stage.cast() as cast:
                lessons = self._prepare(cast)
                self._train(cast, lessons, self._rows(cast, lessons))
        except TROUBLES as error:
            self.note(error)
        finally:
            self.keep_run()

    def _prepare(self, cast: Cast) -> Any:
        plan, kind = self.plan, self.plan.kind
        self.doing = "the model was brought back"
        cast.restore(plan.model, plan.device)
        lessons = cast.student.plant(driver_lessons)
        for side, some in (("train", plan.examples.train), ("heldout", plan.examples.heldout[:HELDOUT])):
            what = f"{kind.milestone} reads {counted(len(some), kind.noun)}{' held out' if side == 'heldout' else ''}"
            fit = self.step(what, partial(self._read, cast, lessons, side, some), self._fit)
            if fit < (LEAST if side == "train" else 1) * len(some) // max(LEAST, len(some)):
                raise UsageProblem(
                    f"{plan.examples.named}: {counted(fit, 'example')} of {len(some):,} could be read; the model reads "
                    f"{counted(plan.model.sizes['context_length'], 'token')} at once, and --minutes ends reading too."
                )
        return lessons

    def _read(self, cast: Cast, lessons: Any, side: str, examples: tuple[Example, ...]) -> int:
        seconds, started = self.plan.minutes * MINUTE / 3, time.monotonic()

        def tell(done: int) -> None:
            share = min(1.0, done / len(examples))
            what = f"{self.plan.kind.milestone} reads examples, {share:.0%}"
            self.show.progress(share, what, reading_left(started, share))

        cast.allow(max(600.0, 3 * seconds))
        back, read = cast.student.callback(tell, asked.of(int)), getattr(lessons, self.plan.kind.read)
        longest = self.plan.model.sizes["context_length"]
        count = read(cast.parts.the("tokenizer"), side, list(examples), longest, seconds, back)
        if type(count) is not int or not 0 <= count <= len(examples):
            raise WorkerLost(nonsense="a count that is no number")
        return count

    def _fit(self, count: int) -> str:
        return f"{count:,} fit into {counted(self.plan.model.sizes['context_length'], 'token')}"

    def _rows(self, cast: Cast, lessons: Any) -> dict[str, Any]:
        if self.plan.kind is not FINE_TUNING:
            return self.plan.model.rows
        try:
            return kept.rows(lessons.some_rows(cast.parts.the("tokenizer")), self.plan.model.sizes)
        except ValueError as error:
            raise CheckFailed(
                f"What encode_example (m10.2) returned is not what its docstring says: {error}."
            ) from None

    def _train(self, cast: Cast, lessons: Any, rows: dict[str, Any]) -> None:
        plan, kind, seconds = self.plan, self.plan.kind, self.plan.minutes * MINUTE
        model, started, taken = replace(plan.model, weights={}, step=0, rows=rows), time.monotonic(), 0
        steps, minutes = counted(plan.steps, "step"), counted(plan.minutes, "minute")
        self.show.say(f"{kind.teaches} for {steps}, at most {minutes} (Ctrl-C: less)")

        def left(step: int) -> float:
            return training_left(started, step, plan.steps, seconds)

        def tell(step: int, loss: float) -> bool:
            nonlocal taken
            taken = step
            self.run.losses.append((step, loss))
            numbers = f"step {step} of {plan.steps}, loss {loss:.2f}"
            self.show.progress(step / plan.steps, numbers, left(step), screen.sparkline(self.losses()))
            return self.patience.over

        def check(step: int, loss: float, share: float | None) -> bool:
            self.run.heldout.append((step, loss))
            said = f"step {step:>4} of {plan.steps}   held-out loss {loss:.3f}"
            if share is not None and step:
                said += f"   the better one of {share:.0%} of the pairs"
            said += f"   {screen.about(left(step))} left" if 0 < step < plan.steps else ""
            self.show.say(said, indent=2)
            return self.patience.over

        def keep(step: int, weights: dict[str, Any]) -> None:
            model.weights, model.step = weights, step
            model.heldout = self.run.heldout[-1][1] if self.run.heldout else None
            self._name(model)
            self.keep_model(model)

        back = (
            cast.student.callback(tell, asked.of(int), asked.of(float)),
            cast.student.callback(check, asked.of(int), asked.of(float), asked.maybe(asked.of(float))),
            cast.student.callback(keep, asked.of(int), kept.weights),
        )
        settings: dict[str, Any] = {"steps": plan.steps, "peak": kind.peak, "seconds": seconds}
        settings |= {"every": max(1, plan.steps // CHECKS)}
        cast.allow(seconds + 300)
        self.doing = kind.taught
        stopping = "It stops after this step; Ctrl-C again ends at once."
        teach, parts = getattr(lessons, kind.learn), cast.parts
        with self.show.doing(kind.teaches), self.patience.asked_first(lambda: self.show.say(stopping)):
            teach(parts.the("model"), parts.the("tokenizer"), plan.device, settings, *back)
        self.stopped = self.patience.over
        if self.stopped:
            self.show.say(f"You have stopped it at step {taken}; now it writes with what it has learned.")
        elif time.monotonic() - started > seconds:
            self.show.say(f"The {minutes} are over at step {taken}. --minutes gives it more.")
        elif taken < plan.steps:
            self.show.say(f"It learned no more, and ended at step {taken}: the best was at step {model.step}.")

    def _name(self, model: kept.Model) -> None:
        """Say of a model what it has learned."""
        model.corpus = f"{self.plan.model.corpus}, then {self.plan.examples.name}"
        if self.plan.kind is FINE_TUNING:
            model.prompt, model.answers = self.plan.examples.heldout[0]["instruction"], True
        else:
            model.heldout = None  # that of pairs is another kind of number

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begins(self) -> tuple[Example, ...]:
        """Return some of what was held out."""
        return self.plan.examples.heldout[:ASKED]

    def write_one(self, cast: Cast, begin: Example, seed: int) -> None:
        """Print and keep an answer, and show what was expected."""
        asks = {name: begin[name] for name in ("instruction", "input", "prompt") if begin.get(name)}
        told, expected = "\n".join(asks.values()), begin.get("output", begin.get("chosen", ""))
        prompt = asks["prompt"] if "prompt" in asks else cast.prompt(asks)
        written: list[str] = []
        self.show.say("")
        self.show.quote(told)
        try:
            self.go_on(cast, prompt, seed, screen.Flow(self.show.paper, 4), LONGEST, written)
        finally:
            self.run.stories.append(f"{told}\n> {''.join(written).strip()}\n(expected: {expected})")
        self.show.quote(f"(expected: {expected})", 4)
