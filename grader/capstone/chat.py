"""Letting a kept model write, one text after another, in a single worker."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from grader.judge.outcomes import CheckFailed
from grader.sandbox.errors import StudentError, WorkerLost

from . import ending, screen
from .act import TOP_K
from .kept import Model
from .patience import Patience
from .performance import LONGEST
from .stage import Cast, Stage


class Chat:
    """A model that is there as long as somebody begins texts."""

    def __init__(
        self,
        stage: Stage,
        model: Model,
        show: screen.Screen,
        device: str,
        temperature: float,
        sources: dict[str, bytes],
    ) -> None:
        self._stage, self._model, self._show, self._device = stage, model, show, device
        self._temperature, self._sources, self._patience = temperature, sources, Patience()

    def answer(self, lines: Iterator[str]) -> bool:
        """Go on from each line; return whether all went well."""
        try:
            with self._stage.cast() as cast:
                cast.restore(self._model, self._device)
                for line in lines:
                    self._go_on(cast, line)
        except (StudentError, WorkerLost, CheckFailed) as error:
            ending.explain(error, "the model wrote", self._show, self._sources)
            self._show.say("If your code has changed since, nox -s capstone trains a model of what it is now.")
            return False
        return True

    def _go_on(self, cast: Cast, line: str) -> None:
        flow, seed, prompt = screen.Flow(self._show.paper), secrets.randbits(32), line
        if self._model.answers:
            prompt = cast.prompt({"instruction": line})
        else:
            flow.write(line)

        def say(text: str) -> bool:
            flow.write(text)
            return self._patience.over

        try:
            with self._patience.asked_first(lambda: None):
                cast.write(prompt, seed, most=LONGEST, temperature=self._temperature, top_k=TOP_K, say=say)
        finally:
            flow.end()
