"""The reference for m14_pruning's masks: ranked by NumPy's sorting, and what classic mistakes make of them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Misses = dict[str, Callable[[], Any]]

SIGNED = "values are ranked with their signs: a weight of -4 is a large one"
INVERTED = "the mask is inverted: True means that a weight stays"
LARGEST = "the highest go, not the lowest"
SHARE = "the sparsity is taken for the share that stays"
CUT_OFF = "the number to go is cut off (int() or //), not rounded"
UP = "the number to go is rounded up, not to the nearest"
HALF_UP = "a half is always rounded up: Python's round takes it to its even neighbour"
TIES_GO = "what equals the threshold goes with it: of equals too many go"
TIES_STAY = "what equals the threshold stays: of equals too few go"
QUANTILE = "a quantile is interpolated between two weights and then compared with: count them instead"
LAST = "of equals the last go first: those that stand first go first (a stable sort keeps their order)"
BY_ROW = "each row is ranked by itself, not the whole weight"
BY_LAYER = "each weight is ranked by itself: here all of them compete"
COLUMNS = "the fours run down the columns: they lie in a row, along d_in"
APART = "a four is made of weights that lie apart: it is four neighbours"
HALF = "half of the whole weight goes, not two of each four"
HALF_ROW = "half of each row goes, not two of each four"


def staying(scores: Tensor, count: int, *, late: bool = False) -> Tensor:
    """Return a mask that lets the `count` lowest of a tensor go, of equals the first, or by mistake the last."""
    values = scores.detach().double().flatten().numpy()
    order = np.argsort(values[::-1] if late else values, kind="stable")
    mask = torch.ones(len(values), dtype=torch.bool)
    mask[torch.from_numpy((len(values) - 1 - order if late else order)[:count].copy())] = False
    return mask.view(scores.shape)


def each(scores: Tensor, count: int, *, late: bool = False) -> Tensor:
    """Return a mask that lets so many go in each row of the last axis by itself."""
    rows = [staying(row, count, late=late) for row in scores.reshape(-1, scores.shape[-1])]
    return torch.stack(rows).view(scores.shape)


# ── m14.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def magnitude(weight: Tensor, sparsity: float) -> Tensor:
    """Return the mask of a weight."""
    return staying(weight.abs(), round(sparsity * weight.numel()))


def magnitude_misses(weight: Tensor, sparsity: float) -> Misses:
    """Compute what the classic mistakes let stay."""
    sizes, wanted = weight.abs(), sparsity * weight.numel()
    count, n = round(wanted), weight.numel()
    flat = weight.reshape(-1, weight.shape[-1]) if weight.ndim else weight.reshape(1, 1)
    threshold = sizes.flatten().sort().values[max(count, 1) - 1]
    return {
        SIGNED: lambda: staying(weight, count),
        INVERTED: lambda: ~magnitude(weight, sparsity),
        LARGEST: lambda: staying(-sizes, count),
        SHARE: lambda: staying(sizes, round((1 - sparsity) * n)),
        CUT_OFF: lambda: staying(sizes, int(wanted)),
        UP: lambda: staying(sizes, math.ceil(wanted)),
        HALF_UP: lambda: staying(sizes, math.floor(wanted + 0.5)),
        LAST: lambda: staying(sizes, count, late=True),
        TIES_GO: lambda: sizes > (threshold if count else -1),
        TIES_STAY: lambda: sizes >= threshold,
        QUANTILE: lambda: sizes > torch.quantile(sizes.double(), sparsity),
        BY_ROW: lambda: each(flat.abs(), round(sparsity * flat.shape[1])).view(weight.shape),
    }


def together(weights: Mapping[str, Tensor], mask: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Return masks for several weights, which compete in one row."""
    row = torch.cat([weight.reshape(1, -1) for weight in weights.values()], dim=1)
    parts = mask(row).flatten().split([weight.numel() for weight in weights.values()])
    return {name: part.reshape(weight.shape) for (name, weight), part in zip(weights.items(), parts, strict=True)}


def all_together(weights: Mapping[str, Tensor], sparsity: float) -> dict[str, Tensor]:
    """Return the masks of several weights."""
    return together(weights, lambda row: magnitude(row, sparsity))


def global_misses(weights: Mapping[str, Tensor], sparsity: float) -> Misses:
    """Compute what the classic mistakes let stay."""
    row = torch.cat([weight.flatten() for weight in weights.values()])[None]
    found: Misses = {
        BY_LAYER: lambda: {name: magnitude(weight, sparsity) for name, weight in weights.items()},
        "the weights stand in another order than in the dict: of equals others go": lambda: all_together(
            dict(reversed(list(weights.items()))), sparsity
        ),
        "each weight is divided by its own largest first: magnitudes compete as they are": lambda: together(
            {name: weight / weight.abs().max() for name, weight in weights.items()},
            lambda shares: magnitude(shares, sparsity),
        ),
    }
    alone = magnitude_misses(row, sparsity)
    return found | {words: _spread(weights, miss) for words, miss in alone.items() if words != BY_ROW}


def _spread(weights: Mapping[str, Tensor], miss: Callable[[], Tensor]) -> Callable[[], dict[str, Tensor]]:
    """Return what gives each weight its part of a mask for all of them."""
    return lambda: together(weights, lambda _: miss())


# ── m14.2 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        "the places are read from the highest bits down": lambda: restored(values, back),
        "the two values of a four change places": lambda: restored(
            values.unflatten(1, (-1, 2)).flip(-1).flatten(1), rows
        ),
    }
    if len(rows[0]) % 4 == 0:
        found["the two fours of a byte change places"] = lambda: restored(values, swapped)
    return found


# ── m14.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def wanda(weight: Tensor, x: Tensor) -> Tensor:
    """Return the scores of a weight, computed in float64."""
    norms = x.double().reshape(-1, x.shape[-1]).square().sum(dim=0).sqrt()
    dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
    return (weight.double().abs() * norms).to(dtype)


def wanda_misses(weight: Tensor, x: Tensor) -> Misses:
    """Compute what the classic mistakes score."""
    rows, sizes = x.double().reshape(-1, x.shape[-1]), weight.double().abs()
    norms, each_text = rows.norm(dim=0), x.double().norm(dim=-2).reshape(-1, x.shape[-1])

    def scored(factor: Tensor, sizes: Tensor = sizes) -> Callable[[], Tensor]:
        return lambda: (sizes * factor).to(wanda(weight, x).dtype)

    return {
        "the weights keep their signs: their magnitudes count": scored(norms, weight.double()),
        "the inputs are averaged, and cancel: take their 2-norm": scored(rows.mean(dim=0).abs()),
        "the inputs are averaged with their signs: take their 2-norm": scored(rows.mean(dim=0)),
        "the inputs' magnitudes are averaged: take their 2-norm": scored(rows.abs().mean(dim=0)),
        "the inputs' magnitudes are added up (a 1-norm): take their 2-norm": scored(rows.abs().sum(dim=0)),
        "the squares have no root: take their 2-norm": scored(norms.square()),
        "the norm is divided by the root of the number of tokens": scored(norms / len(rows) ** 0.5),
        "the squares are taken in half precision: 300 squared is more than float16 holds": scored(
            x.reshape(rows.shape).square().double().sum(dim=0).sqrt()
        ),
        "the largest input is taken instead of the 2-norm": scored(rows.abs().amax(dim=0)),
        "the weights are squared too": scored(norms, sizes.square()),
        "each text has a norm of its own, and these are averaged: all tokens have one together": scored(
            each_text.mean(dim=0)
        ),
        "each text has a norm of its own, and these are added up: all tokens have one together": scored(
            each_text.sum(dim=0)
        ),
        "the last text alone is looked at": scored(each_text[-1]),
        "the inputs are not looked at": scored(torch.ones_like(norms)),
    }


def wanda_kept(weight: Tensor, x: Tensor, sparsity: float) -> Tensor:
    """Return the mask by scores."""
    return each(wanda(weight, x), round(sparsity * weight.shape[1]))


def wanda_kept_misses(weight: Tensor, x: Tensor, sparsity: float) -> Misses:
    """Compute what the classic mistakes let stay."""
    scores, wanted = wanda(weight, x), sparsity * weight.shape[1]
    return {
        "the whole weight is ranked, not each row by itself": lambda: staying(scores, round(sparsity * scores.numel())),
        "each column is ranked, not each row": lambda: each(scores.T, round(sparsity * len(scores))).T,
        "weights are ranked by magnitude alone": lambda: each(weight.abs(), round(wanted)),
        INVERTED: lambda: ~wanda_kept(weight, x, sparsity),
        LARGEST: lambda: each(-scores, round(wanted)),
        SHARE: lambda: each(scores, round((1 - sparsity) * weight.shape[1])),
        CUT_OFF: lambda: each(scores, int(wanted)),
        UP: lambda: each(scores, math.ceil(wanted)),
        LAST: lambda: each(scores, round(wanted), late=True),
        SIGNED: lambda: each(weight.double() * (scores / weight.abs().clamp(min=1e-12)), round(wanted)),
    }


def cleared(weight: Tensor, x: Tensor, sparsity: float) -> bool:
    """Whether each row's scores lie clearly apart where they are cut, so that rounding decides nothing."""
    ranked, count = wanda(weight, x).double().sort(dim=1).values, round(sparsity * weight.shape[1])
    if count in (0, weight.shape[1]):
        return True
    return bool((ranked[:, count] > 1.001 * ranked[:, count - 1]).all())
