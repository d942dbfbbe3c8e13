"""Whether a written mutant's own sentence is the first that a student reads."""

from __future__ import annotations

from typing import Any

from .proofs import support

RIGHT, WRONG, UNNAMED = "right", "wrong", "unnamed"
LEAST = 0.90  # of a milestone's written mutants that are named rightly; none is named wrongly


def verdict(mutant: dict[str, Any], first: str) -> str:
    """Return what the first name in a mutant's report is: its own, another's, or none."""
    if support.right_name(mutant, first):
        return RIGHT
    return WRONG if first else UNNAMED


def verdicts(own: list[dict[str, Any]], first: dict[str, str]) -> dict[str, str]:
    """Return the verdict on each mutant that was measured: its name → right, wrong or unnamed."""
    return {mutant["name"]: verdict(mutant, first[mutant["name"]]) for mutant in own if mutant["name"] in first}


def tally(found: dict[str, str]) -> str:
    """Return how many are right, wrong and unnamed, and the share that is right."""
    right, wrong, unnamed = (list(found.values()).count(kind) for kind in (RIGHT, WRONG, UNNAMED))
    return f"{right} / {wrong} / {unnamed} ({100 * right / max(len(found), 1):.0f} %)"
