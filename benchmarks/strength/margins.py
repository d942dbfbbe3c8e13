"""How far right code stays from a bound that it might miss by chance, in units of what the value itself varies by."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from .proofs import proving

LEAST = 5.0  # spreads that every right module keeps from every bound, with every seed
Stored = dict[
    str, dict[str, list[float]]
]  # bound → module → how often, the sum of the gaps, of their squares, the least


def add(stored: Stored, module: str, heard: Iterable[proving.Kept]) -> None:
    """Add what was heard of one run of a module: of each bound the gap between it and the value."""
    for check, message, above, value, below in heard:
        for side, gap in (("above", value - above), ("below", below - value)):
            if math.isfinite(gap):
                modules = stored.setdefault(f"{check} | {side} | {wording(message)}", {})
                count, total, squares, least = modules.get(module, [0, 0.0, 0.0, math.inf])
                modules[module] = [count + 1, total + gap, squares + gap * gap, min(least, gap)]


def wording(message: str) -> str:
    """Return the first sentence of a message, its figures left out: the same whatever the value was."""
    return re.sub(r"[-+]?\d+([.,]\d+)*(e[-+]?\d+)?%?", "…", message.partition("\n")[0])


def margin(gaps: list[float]) -> float:
    """Return the least gap in units of the gaps' standard deviation: infinite where nothing varies."""
    count, total, squares, least = gaps
    mean = total / count
    variance = squares / count - mean * mean
    varies = variance > 1e-12 * mean * mean  # less than that is how the sums were rounded
    return least / math.sqrt(variance) if varies else math.copysign(math.inf, least)


def worst(*parts: dict[str, Any]) -> dict[str, tuple[float, str, int]]:
    """Return for each bound the least margin that a module keeps, that module, and how often it was asked."""
    found: dict[str, tuple[float, str, int]] = {}
    for part in parts:
        for bound, modules in part.get("bounds", {}).items():
            kept = [(margin(gaps), module, int(gaps[0])) for module, gaps in modules.items()]
            found[bound] = min([*kept, *([found[bound]] if bound in found else [])])
    return dict(sorted(found.items()))
