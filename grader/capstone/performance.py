"""One capstone from raw text to stories, told as it goes on. What was learned is kept before anything else can fail."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from grader.counting import counted, form
from grader.judge import asked
from grader.judge.errors import UsageProblem
from grader.judge.outcomes import CheckFailed
from grader.sandbox.errors import WorkerLost

from . import kept, screen
from .act import TROUBLES, Act, reading_left, training_left
from .sizes import DEFAULTS, kept_numbers
from .stage import STORY_SECONDS, Cast, Stage
from .texts import Corpus

BATCH, PEAK = 16, 3e-3
KEEP_SECONDS = 30.0  # that may be lost where a training ends in no good order; more where it is let train for long:
KEEPS = 15  # besides those at the checks, and fewer where the model is large:
SENT = 240 * 2**20  # bytes of weights in all, of the 256 MB that a worker may send
CHECKS = 12  # of the held-out loss, each with a sample, in all
LONGEST = 256  # tokens of a story
MINUTE = 60.0  # seconds


@dataclass
class Plan:
    """What was asked for."""

    corpus: Corpus
    prompts: tuple[str, ...]
    steps: int
    minutes: int
    device: str
    folder: Path
    sizes: dict[str, int]


class Performance(Act):
    """A model that learns from a text, from nothing."""

    def __init__(self, stage: Stage, plan: Plan, show: screen.Screen) -> None:
        super().__init__(stage, plan.folder, plan.device, show)
        self.plan = plan

    # ── training ──────────────────────────────────────────────────────────────────────────────────────────────────

    def train(self) -> None:
        """Learn a tokenizer and a model; both are kept while it goes on. What goes wrong becomes `trouble`."""
        try:
            with self.stage.cast() as cast:
                self._train(cast, self._prepare(cast))
        except TROUBLES as error:
            self.note(error)
        finally:
            self.keep_run()

    def _prepare(self, cast: Cast) -> kept.Model:
        corpus, longest = self.plan.corpus, max(600.0, self.plan.minutes * MINUTE)
        sizes = DEFAULTS | self.plan.sizes
        if corpus.left_out:
            self.show.say(
                f"The text is longer than can be used here: its last {corpus.left_out:,} characters stay out."
            )
        cast.allow(longest)
        text = corpus.for_tokenizer
        what = f"m01 learns a tokenizer from {len(text):,} characters"
        vocab, merges = self.step(
            what, lambda: _tokenizer(cast.parts.learn_tokenizer(text, sizes["vocab_size"])), _tokens
        )
        for side, what in (("train", "the texts to learn from"), ("heldout", "the texts held out")):
            if (count := self._encode(cast, side, what, longest)) <= sizes["context_length"]:
                raise UsageProblem(
                    f"{what[0].upper()}{what[1:]} are {counted(count, 'token')}, and the model reads "
                    f"{sizes['context_length']} at once: take more text, or a smaller --context-length."
                )
        sizes["vocab_size"] = max(len(vocab), *(id + 1 for id in vocab))
        self.step("m06 builds a GPT", lambda: _count(cast.parts.build_model(sizes, self.plan.device)), _parameters)
        model = kept.Model(vocab, merges, sizes, {}, corpus=corpus.name, prompt=self.plan.prompts[0])
        model.rows = _rows(cast.parts.some_rows(), sizes)
        return model

    def _encode(self, cast: Cast, side: str, what: str, longest: float) -> int:
        pieces = self.plan.corpus.pieces(side)
        started = time.monotonic()

        def tell(done: int) -> None:
            share = min(1.0, done / len(pieces))
            self.show.progress(share, f"m01 encodes {what}, {share:.0%}", reading_left(started, share))

        cast.allow(longest)
        back = cast.student.callback(tell, asked.of(int))
        write = cast.parts.write_ids
        act = partial(write, side, pieces, longest / 3, back)
        return int(self.step(f"m01 encodes {what}", lambda: _count(act()), "{:,} ids".format))

    def _train(self, cast: Cast, model: kept.Model) -> None:
        plan, seconds = self.plan, self.plan.minutes * MINUTE
        started, every = time.monotonic(), max(1, plan.steps // CHECKS)
        steps, minutes = counted(plan.steps, "step"), counted(plan.minutes, "minute")
        self.show.say(f"m08 trains it for {steps}, at most {minutes} (Ctrl-C: less)")

        def tell(step: int, loss: float, heldout: float | None) -> bool:
            self.run.losses.append((step, loss))
            left = training_left(started, step, plan.steps, seconds)
            numbers = f"step {step} of {plan.steps}, loss {loss:.2f}"
            self.show.progress(step / plan.steps, numbers, left, screen.sparkline(self.losses()))
            if heldout is not None:
                self.run.heldout.append((step, heldout))
                more = f"   {screen.about(left)} left" if step < plan.steps else ""
                said = f"step {step:>4} of {plan.steps}   training loss {loss:.3f}   held-out loss {heldout:.3f}{more}"
                self.show.say(said, indent=2)
            return self.patience.over

        def keep(step: int, weights: dict[str, Any]) -> None:
            model.weights, model.step = weights, step
            model.heldout = self.run.heldout[-1][1] if self.run.heldout else None
            self.keep_model(model)

        back = (
            cast.student.callback(tell, asked.of(int), asked.of(float), asked.maybe(asked.of(float))),
            cast.student.callback(keep, asked.of(int), kept.weights),
            cast.student.callback(lambda text: self.show.quote(f"{plan.prompts[0]}{text}", 4), asked.of(str)),
        )
        settings: dict[str, Any] = {
            "steps": plan.steps,
            "batch_size": BATCH,
            "peak": PEAK,
            "seconds": seconds,
            "every": every,
        }
        spare = SENT // (4 * kept_numbers(model.sizes)) - CHECKS - 2
        keeps = KEEPS if spare >= 15 else max(spare, 1e-3)
        settings |= {"prompt": plan.prompts[0], "keep_seconds": max(KEEP_SECONDS, seconds / keeps)}
        cast.allow(seconds + 300)
        self.doing = "m08 trained the model"
        stopping = "It stops after this step; Ctrl-C again ends at once."
        with self.show.doing("m08 trains the model"), self.patience.asked_first(lambda: self.show.say(stopping)):
            cast.parts.train(settings, *back)
        self.stopped = self.patience.over
        if self.stopped:
            self.show.say(f"You have stopped it at step {model.step}; now it writes with what it has learned.")
        elif model.step < plan.steps:
            over = f"{counted(plan.minutes, 'minute')} {form(plan.minutes, 'is', 'are')} over"
            self.show.say(f"The {over} at step {model.step}. --minutes gives it more.")

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begins(self) -> tuple[str, ...]:
        """Return how each story begins."""
        return self.plan.prompts

    def write_one(self, cast: Cast, begin: str, seed: int) -> None:
        """Print and keep a story."""
        flow, written = screen.Flow(self.show.paper), [begin]
        self.show.say("")
        flow.write(begin)
        began = time.monotonic()
        try:
            self.go_on(cast, begin, seed, flow, LONGEST, written)
        finally:
            self.run.stories.append("".join(written).strip())
        if time.monotonic() - began > STORY_SECONDS:
            self.show.say("(It was too slow to be let write on.)", "dim")


def _tokens(found: tuple[kept.Vocabulary, kept.Merges]) -> str:
    return counted(len(found[0]), "token")


def _parameters(number: int) -> str:
    return counted(number, "parameter")


def _tokenizer(found: Any) -> tuple[kept.Vocabulary, kept.Merges]:
    try:
        return kept.tokenizer(found)
    except ValueError as error:
        raise CheckFailed(f"What train_bpe (m01.2) returned is not what its docstring says: {error}.") from None


def _rows(found: Any, sizes: dict[str, int]) -> dict[str, Any]:
    try:
        return kept.rows(found, sizes)
    except ValueError as error:
        raise CheckFailed(f"What get_batch (m02.5) returned is not what its docstring says: {error}.") from None


def _count(value: Any) -> int:
    if type(value) is not int:
        raise WorkerLost(nonsense="a count that is no number")
    return value
