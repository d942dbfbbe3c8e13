"""How the stretch goals of several milestones measure: in processor time, which other programs hardly touch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

LEAST = 0.6  # seconds of processor time that a measure takes: the clock ticks a hundred times a second
MOST = 20_000


def per_second(student: Any, work: Callable[[int], Any], amount: float, most: int = MOST) -> tuple[float, Any]:
    """Return how much of something a second of processor time does, and what the last round of work gave.

    `work(count)` does the work, of which one time does `amount`, so many times; it is given more until it lasts, up to
    `most`.
    """
    work(1)  # whatever is left to the first time
    count = 1
    while True:
        before = student.cpu_seconds()
        result = work(count)
        spent = student.cpu_seconds() - before
        if spent >= LEAST or count >= most:
            return amount * count / max(spent, 0.01), result
        count = min(most, max(2 * count, min(10 * count, math.ceil(1.3 * count * LEAST / max(spent, 0.01)))))
