"""What a loss did over the steps of a check that learns: each number that backward() was called on, for a picture.

Noted where the judge asks for it, in practice alone. Like all that this process says it is a claim, and nothing rests
on it.
"""

from __future__ import annotations

import functools
from typing import Any

MOST_STEPS = 10_000  # of a run that are noted
LEAST_STEPS = 5  # of a run that is told of: fewer make no curve
MOST_RUNS, MOST_POINTS = 3, 120  # that are told of


class Losses:
    """The losses of one check: a run for each request in which there were some, a number for each of its steps."""

    def __init__(self) -> None:
        self._runs: list[list[Any]] = []
        self._goes_on = False

    def listen(self) -> None:
        """Have torch.Tensor.backward note what it is called on, from now on and for as long as this process lives."""
        import torch

        original = torch.Tensor.backward

        @functools.wraps(original)
        def backward(tensor: Any, *args: Any, **kwargs: Any) -> Any:
            self.note(tensor)
            return original(tensor, *args, **kwargs)

        torch.Tensor.backward = backward  # type: ignore[assignment]

    def note(self, loss: Any) -> None:
        """Note one loss, if it is a single number. Whatever it is, it is no trouble to who trains."""
        try:
            if loss.numel() != 1:
                return
            alone = loss.detach().clone()  # without its graph, and without waiting for its device
        except Exception:  # a subclass of Tensor may raise anything; no picture is worth somebody's training
            return
        if not self._goes_on:
            self._runs.append([])
            self._goes_on = True
        if len(self._runs[-1]) < MOST_STEPS:
            self._runs[-1].append(alone)

    def part(self) -> None:
        """Begin a new run with the next loss."""
        self._goes_on = False

    def forget(self) -> None:
        """Begin anew, for the next check."""
        self._runs.clear()
        self.part()

    def told(self) -> list[list[Any]]:
        """Return of the last runs how many steps each had, and its losses, of a long one so many alike far apart."""
        runs = [run for run in self._runs if len(run) >= LEAST_STEPS][-MOST_RUNS:]
        return [[len(run), [float(run[place]) for place in places(len(run))]] for run in runs]


def places(count: int, most: int = MOST_POINTS) -> list[int]:
    """Return which of so many points are drawn: all of few, else the first, the last, and as many between.

    Example: places(5, 3) -> [0, 2, 4].
    """
    if count <= most:
        return list(range(count))
    return [round(place * (count - 1) / (most - 1)) for place in range(most)]
