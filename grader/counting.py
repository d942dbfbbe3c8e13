"""Numbers and the words that go with them: 1 step, 2 steps."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun in the form that goes with it, thousands apart: "1 step", "2,000 steps"."""
    return f"{number:,} {form(number, noun, plural)}"


def form(number: float, noun: str, plural: str | None = None) -> str:
    """Return the noun, or the verb, in the form that goes with a number: "step" for 1, and "steps" for 2."""
    return noun if number == 1 else plural or f"{noun}s"
