"""The reference for m14_pruning's two of every four, made number by number, and what classic mistakes store."""

import torch
from torch import Tensor

from .oracle import (
    INVERTED,
    LARGEST,
    LAST,
    SIGNED,
    TIES_GO,
    TIES_STAY,
    TOPK_GO,
    TOPK_STAY,
    Misses,
    by_topk,
    each,
    staying,
)

COLUMNS = "the fours run down the columns: they lie in a row, along d_in"
APART = "a four is made of weights that lie apart: it is four neighbours"
HALF = "half of the whole weight goes, not two of each four"
HALF_ROW = "half of each row goes, not two of each four"
NOT_JOINED = "the fours are still an axis of their own: the mask has its weight's shape"
COUNTED = "what stays is counted over rows, or over all: exactly two stay of each four"
REST = "a row that leaves a rest is accepted: it is made of whole fours, or refused"
LAST_BYTE = "a row's places need not fill its last byte: bits to spare are 0, and the next row begins a new byte"
ZERO = "a zero that stays is lost: what stays is what the mask says, whatever its value"
SPARE = "bits to spare are read as places: a row has as many places as values"


def fours(weight: Tensor) -> Tensor:
    """Return the 2:4 mask of a weight."""
    return each(weight.abs().reshape(len(weight), -1, 4), 2).reshape(weight.shape)


def fours_misses(weight: Tensor) -> Misses:
    """Compute what the classic mistakes let stay."""
    sizes, (d_out, d_in) = weight.abs(), weight.shape
    cut = sizes.reshape(d_out, -1, 4)
    ranked = cut.sort(dim=-1).values
    found: Misses = {
        SIGNED: lambda: each(weight.reshape(cut.shape), 2).reshape(weight.shape),
        INVERTED: lambda: ~fours(weight),
        LARGEST: lambda: each(-cut, 2).reshape(weight.shape),
        LAST: lambda: each(cut, 2, late=True).reshape(weight.shape),
        TIES_GO: lambda: (cut > ranked[..., 1:2]).reshape(weight.shape),
        TIES_STAY: lambda: (cut >= ranked[..., 2:3]).reshape(weight.shape),
        TOPK_GO: lambda: by_topk(cut, 2, stay=False).reshape(weight.shape),
        TOPK_STAY: lambda: by_topk(cut, 2, stay=True).reshape(weight.shape),
        NOT_JOINED: lambda: fours(weight).reshape(cut.shape),
        APART: lambda: each(sizes.reshape(d_out, 4, -1).mT, 2).mT.reshape(weight.shape),
        HALF: lambda: staying(sizes, d_out * d_in // 2),
        HALF_ROW: lambda: each(sizes, d_in // 2),
    }
    if d_out % 4 == 0:
        found[COLUMNS] = lambda: fours(weight.T).T
    return found


def compressed(weight: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values that stay, and the bytes of their places, made number by number."""
    values = torch.stack([row[kept] for row, kept in zip(weight, mask, strict=True)])
    return values, packed(numbers(mask))


def numbers(mask: Tensor) -> list[list[int]]:
    """Return for each row of a 2:4 mask the place of each value within its four."""
    return [[place % 4 for place, kept in enumerate(row) if kept] for row in mask.tolist()]


def packed(rows: list[list[int]], *, high_first: bool = False, by_four: bool = False) -> Tensor:
    """Put the places of each row into bytes; the switches make the mistakes."""
    size = 2 if by_four else 4
    found = []
    for row in rows:
        row = [*row, *[0] * (-len(row) % size)]
        groups = [row[start : start + size] for start in range(0, len(row), size)]
        groups = [group[::-1] for group in groups] if high_first else groups
        found.append([sum(place << 2 * at for at, place in enumerate(group)) & 255 for group in groups])
    return torch.tensor(found, dtype=torch.uint8)


def places_misses(mask: Tensor) -> Misses:
    """Compute what the classic mistakes store as places."""
    rows = numbers(mask)
    wide = [[place for place, kept in enumerate(row) if kept] for row in mask.tolist()]
    bits = mask.reshape(len(mask), -1, 4).long() @ torch.tensor([1, 2, 4, 8])
    return {
        "the first place is in the highest bits: it is in the lowest": lambda: packed(rows, high_first=True),
        "each place takes a byte of its own: four share one": lambda: torch.tensor(rows, dtype=torch.uint8),
        "the two places of a four take a byte of their own: two fours share one": lambda: packed(rows, by_four=True),
        "places are counted from the row's beginning: they are 0 to 3, within each four": lambda: packed(wide),
        "the places of all rows are packed in one go: each row begins a byte of its own": lambda: packed(
            [[place for row in rows for place in row]]
        )[0],
        "places are counted from 1": lambda: packed([[place + 1 for place in row] for row in rows]),
        "the mask's own bits are stored, four for each four, not two for each value": lambda: bits.to(torch.uint8),
        "places are those of what goes, not of what stays": lambda: packed(numbers(~mask)),
    }


def values_misses(weight: Tensor, mask: Tensor) -> Misses:
    """Compute what the classic mistakes store as values."""
    size = (len(weight), -1)
    cut = weight.reshape(len(weight), -1, 4)
    ranked = cut.gather(-1, cut.abs().argsort(dim=-1, descending=True)[..., :2])
    return {
        "the values are what goes, not what stays": lambda: weight[~mask].view(size),
        "zeros are stored too: only what stays is": lambda: weight * mask,
        "the values of a four are ordered by size: they keep the order of their places": lambda: ranked.reshape(size),
        "the values are picked column by column": lambda: weight.T[mask.T].view(size),
    }


def restored(values: Tensor, rows: list[list[int]]) -> Tensor:
    """Put each value at its place within its four, number by number."""
    weight = torch.zeros(len(values), 2 * values.shape[1], dtype=values.dtype)
    for number, row in enumerate(rows):
        for at, place in enumerate(row):
            weight[number, at // 2 * 4 + place] = values[number, at]
    return weight


def _run_on(rows: list[list[int]]) -> list[list[int]]:
    """Return the places that are read where each row's spare places are taken for those of the next."""
    half = len(rows[0])
    stream = [place for row in rows for place in (*row, *[0] * (-half % 4))]
    return [stream[start : start + half] for start in range(0, half * len(rows), half)]


def restored_misses(values: Tensor, rows: list[list[int]]) -> Misses:
    """Compute what the classic mistakes make of values and places."""
    back = [row[::-1] for row in rows]
    swapped = [
        [place for start in range(0, len(row), 4) for place in (*row[start + 2 : start + 4], *row[start : start + 2])]
        for row in rows
    ]
    found: Misses = {
        "the values all stand first in their four: their places are not used": lambda: restored(
            values, [[at % 2 for at in range(len(row))] for row in rows]
        ),
        "places are read on from one row into the next: each row begins a byte of its own": lambda: restored(
            values, _run_on(rows)
        ),
        "the places are read from the highest bits down": lambda: restored(values, back),
        "the two values of a four change places": lambda: restored(
            values.unflatten(1, (-1, 2)).flip(-1).flatten(1), rows
        ),
    }
    if len(rows[0]) % 4 == 0:
        found["the two fours of a byte change places"] = lambda: restored(values, swapped)
    return found
