"""What a failed comparison looks like: of both sides what lies around the worst place, few enough values to draw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """Two arrays that differ: rows of both, cut out around the worst cell."""

    got: tuple[tuple[float, ...], ...]
    expected: tuple[tuple[float, ...], ...]
    worst: tuple[int, int]  # row and column among those shown
    where: tuple[int, ...]  # the same cell's place in the whole
    first: tuple[int, int]  # which row and which column of the whole the ones shown begin with
    shape: tuple[int, ...]  # of the whole


@dataclass(frozen=True)
class Items:
    """Two lists or texts that differ: what stands around the first difference."""

    got: tuple[str, ...]
    expected: tuple[str, ...]
    first: int  # the index that the shown ones begin with
    differs: int  # the index of the first difference
    tokens: Tokens | None = None  # where the items are ids whose vocabulary is known


@dataclass(frozen=True)
class Tokens:
    """What ids stand for: each token as text, and all of them joined. An id that stands for nothing has none."""

    got: tuple[str, ...]
    expected: tuple[str, ...]
    got_text: str
    expected_text: str


@dataclass(frozen=True)
class Bound:
    """A number that is not where it must be: above one bound, below another; either may be infinite."""

    value: float
    above: float
    below: float


@dataclass(frozen=True)
class Line:
    """What a number did over some steps: its values at the first, at the last, and at as many between as are drawn."""

    name: str
    steps: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Curves:
    """What losses did over the steps, and the bound on what was reached by them, if there is one."""

    lines: tuple[Line, ...]
    bound: Bound | None = None


Picture = Grid | Items | Bound | Curves
