"""Cuts out of two values that differ what a picture shows of them.

A practice run with a public seed keeps one for the first failing check of each task, beside the calls that it made, and
no other run does: it holds inputs and what is expected of them.
"""

from __future__ import annotations

from typing import Any

from grader.pictures import Curves, Grid, Items, Line, Picture

from .describe import difference, excerpt

MOST = 24  # rows, and columns
MOST_ITEMS = 12
LONGEST = 24  # characters of an item
LONGEST_SERIES = 120  # of which each number is drawn
SERIES = "the list of losses"  # begins what a check calls numbers that go by steps


def grid(actual: Any, expected: Any, where: list[int]) -> Grid | None:
    """Cut the same piece out of two tensors of one shape, around the place `where`; None where there is one value."""
    if actual.numel() < 2 or actual.is_complex() or not where:
        return None
    shape, inner = tuple(actual.shape), where[-2:]
    actual, expected = (value[tuple(where[:-2])] for value in (actual, expected))
    starts = [max(0, min(place - MOST // 2, size - MOST)) for place, size in zip(inner, actual.shape, strict=True)]
    piece = tuple(slice(start, start + MOST) for start in starts)
    got, wanted = (value[piece].double().reshape(-1, value[piece].shape[-1]).tolist() for value in (actual, expected))
    row, column = [0, *inner][-2:]
    top, left = [0, *starts][-2:]
    worst = row - top, column - left
    return Grid(tuple(map(tuple, got)), tuple(map(tuple, wanted)), worst, tuple(where), (top, left), shape)


def items(actual: Any, expected: Any) -> Items | None:
    """Cut the same piece out of two lists, tuples or texts, around their first difference; None for anything else.

    Where the items that differ are lists or texts themselves, it is these that are cut.
    """
    if type(actual) is not type(expected) or not isinstance(expected, list | tuple | str):
        return None
    shorter = min(len(actual), len(expected))
    pairs = zip(actual, expected, strict=False)
    differs = next((index for index, pair in enumerate(pairs) if difference(*pair) is not None), shorter)
    if differs == max(len(actual), len(expected)):
        return None
    if differs < shorter and not isinstance(expected, str) and (inner := items(actual[differs], expected[differs])):
        return inner
    first = max(0, differs - MOST_ITEMS // 3)
    got, wanted = (tuple(map(_text, side[first : first + MOST_ITEMS])) for side in (actual, expected))
    return Items(got, wanted, first, differs)


def series(actual: Any, expected: Any, what: str) -> Curves | None:
    """Draw two lists of losses as what they did over the steps; None for anything else, and for few or very many."""
    sides = {"got": actual, "expected": expected}
    if not what.startswith(SERIES) or not all(2 < len(side) <= LONGEST_SERIES for side in sides.values()):
        return None
    if not all(type(value) is float for side in sides.values() for value in side):
        return None
    return Curves(tuple(Line(name, len(side), tuple(side)) for name, side in sides.items()))


def of_numbers(actual: Any, expected: Any, where: list[int], what: str) -> Picture | None:
    """Return a picture of two tensors of one shape that differ most at `where`."""
    if actual.dim() == 1 and what.startswith(SERIES):
        return series(actual.double().tolist(), expected.double().tolist(), what) or grid(actual, expected, where)
    return grid(actual, expected, where)


def of_difference(actual: Any, expected: Any, what: str = "") -> Picture | None:
    """Return a picture of two values that are not equal, where there is one to draw."""
    if type(actual) is type(expected) is list and (drawn := series(actual, expected, what)):
        return drawn
    if hasattr(expected, "dtype") and type(expected).__module__.startswith("torch"):
        if type(actual) is not type(expected) or (actual.dtype, actual.shape) != (expected.dtype, expected.shape):
            return None
        wrong = (actual != expected).nonzero()
        return grid(actual, expected, wrong[0].tolist()) if len(wrong) else None
    return items(actual, expected)


def _text(item: Any) -> str:
    if isinstance(item, float):
        return f"{item:.6g}"
    return excerpt(item)[:LONGEST]
