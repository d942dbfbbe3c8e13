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
TOPK_GO = "topk picks what goes, and of equals any: only a stable sort keeps their order"
TOPK_STAY = "topk picks what stays, and of equals any: only a stable sort keeps their order"
FLAT = "the mask is one long row: it has its weight's shape"
ONE_ROW = "one long mask comes back: each weight has its own, of its shape and by its name"
WITH_GRADIENT = "a weight may be a parameter that wants a gradient: detach it first"
DEVICE = "something is made on the default device instead of where the weight is"
TEXTS = "x may have more axes than two: all places before its last axis are tokens"
NAN = "NaN slips through: it is neither below 0 nor above 1, so ask whether the sparsity lies between them"
BY_ROW = "each row is ranked by itself, not the whole weight"
BY_LAYER = "each weight is ranked by itself: here all of them compete"


def staying(scores: Tensor, count: int, *, late: bool = False) -> Tensor:
    """Return a mask that lets the `count` lowest of a tensor go, of equals the first, or by mistake the last."""
    values = scores.detach().double().flatten().numpy()
    order = np.argsort(values[::-1] if late else values, kind="stable")
    mask = torch.ones(len(values), dtype=torch.bool)
    mask[torch.from_numpy((len(values) - 1 - order if late else order)[:count].copy())] = False
    return mask.view(scores.shape)


def by_topk(scores: Tensor, count: int, *, stay: bool) -> Tensor:
    """Return a mask by topk along the last axis, which picks what stays or what goes, and any of several equals."""
    picked = scores.topk(scores.shape[-1] - count if stay else count, largest=stay).indices
    return torch.full(scores.shape, not stay).scatter(-1, picked, stay)


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
        TOPK_GO: lambda: by_topk(sizes.flatten(), count, stay=False).view(weight.shape),
        TOPK_STAY: lambda: by_topk(sizes.flatten(), count, stay=True).view(weight.shape),
        BY_ROW: lambda: each(flat.abs(), round(sparsity * flat.shape[1])).view(weight.shape),
        FLAT: lambda: magnitude(weight, sparsity).flatten(),
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
        "the masks are long rows: each has its weight's shape": lambda: {
            name: mask.flatten() for name, mask in all_together(weights, sparsity).items()
        },
        ONE_ROW: lambda: magnitude(row[0], sparsity),
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
    return found | {words: _spread(weights, miss) for words, miss in alone.items() if words not in (BY_ROW, FLAT)}


def _spread(weights: Mapping[str, Tensor], miss: Callable[[], Tensor]) -> Callable[[], dict[str, Tensor]]:
    """Return what gives each weight its part of a mask for all of them."""
    return lambda: together(weights, lambda _: miss())


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
        TOPK_GO: lambda: by_topk(scores, round(wanted), stay=False),
        TOPK_STAY: lambda: by_topk(scores, round(wanted), stay=True),
        SIGNED: lambda: each(weight.double() * (scores / weight.abs().clamp(min=1e-12)), round(wanted)),
    }


def cleared(weight: Tensor, x: Tensor, sparsity: float) -> bool:
    """Whether each row's scores lie clearly apart where they are cut, so that rounding decides nothing."""
    ranked, count = wanda(weight, x).double().sort(dim=1).values, round(sparsity * weight.shape[1])
    if count in (0, weight.shape[1]):
        return True
    return bool((ranked[:, count] > 1.001 * ranked[:, count - 1]).all())
