"""How a course rounds marks: to which step, and which way."""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from decimal import Decimal

WAYS = {
    "nearest": decimal.ROUND_HALF_UP,  # half a step goes up, as people expect it
    "up": decimal.ROUND_CEILING,
    "down": decimal.ROUND_FLOOR,
}
NOISE = 9  # decimals at which what binary fractions add to a sum is gone: 0.1 + 0.2 is 0.3, and not rounded up


@dataclass(frozen=True)
class Rounding:
    """A step, in points, and a way of WAYS."""

    step: float = 0.01
    way: str = "nearest"

    def __call__(self, points: float) -> float:
        """Return points as they count.

        Example: with a step of 0.5, nearest: 2.25 -> 2.5, and 2.2 -> 2.0.
        """
        step = Decimal(repr(self.step))
        steps = Decimal(repr(round(points, NOISE))) / step
        return float(steps.to_integral_value(WAYS[self.way]) * step)
