"""Four bits: groups with a scale each and two integers in a byte, with a switch for every classic mistake."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from .oracle import COARSE, RECIPROCAL, ROUNDINGS, ZERO, Pair, upside_down

UPSIDE = "the nibbles are the wrong way round: the first integer of a pair goes into the low four bits"
UNSIGNED = "nibbles are not given their sign back: 8 to 15 stand for -8 to -1"


def int4(
    x: Tensor,
    group_size: int,
    *,
    divisor: float = 7,
    rounding: str = "even",
    kept: torch.dtype = torch.float64,
    zeros: float = 1.0,
) -> Pair:
    """Quantize runs of group_size along the last axis in float64; returns the integers, not packed, and the scales."""
    groups = x.double().reshape(*x.shape[:-1], -1, group_size)
    peak = groups.abs().amax(-1, keepdim=True)
    scales = torch.where(peak == 0, zeros, peak / divisor).to(kept).double()
    q = ROUNDINGS[rounding](groups / scales).nan_to_num(nan=0.0).clamp(-7 - (divisor != 7), 7)
    return q.reshape(x.shape).to(torch.int8), scales[..., 0].float()


def int4_misses(x: Tensor, group_size: int) -> dict[str, Callable[[], Pair]]:
    """Compute what the classic mistakes give."""
    n_groups = x.shape[-1] // group_size

    def strided() -> Pair:
        dealt = x.reshape(*x.shape[:-1], group_size, n_groups).transpose(-1, -2).reshape(x.shape)
        q, scales = int4(dealt, group_size)
        return q.reshape(*x.shape[:-1], n_groups, group_size).transpose(-1, -2).reshape(x.shape), scales

    def dealt_out() -> Pair:
        dealt = x.reshape(*x.shape[:-1], group_size, n_groups).transpose(-1, -2).reshape(x.shape)
        return int4(dealt, group_size)

    def by_row() -> Pair:
        q, scales = int4(x, x.shape[-1])
        return q, scales.repeat_interleave(n_groups, dim=-1)

    def by_tensor() -> Pair:
        q, scales = int4(x.reshape(-1), x.numel())
        return q.reshape(x.shape), scales.expand(*x.shape[:-1], n_groups)

    return {
        "the scale is max|x| / 8 instead of / 7": lambda: int4(x, group_size, divisor=8),
        "the scale is max|x| / 7.5 instead of / 7: q lies in -7..7": lambda: int4(x, group_size, divisor=7.5),
        "the scale is max|x| / 15 instead of / 7": lambda: int4(x, group_size, divisor=15),
        RECIPROCAL: lambda: upside_down(int4(x, group_size)),
        ZERO: lambda: int4(x, group_size, zeros=0.0),
        COARSE: lambda: int4(x, group_size, kept=torch.float16),
        "quotients are cut off towards 0 instead of rounded": lambda: int4(x, group_size, rounding="truncated"),
        "a group is every n-th value instead of a run of neighbours": strided,
        "a group is every n-th value instead of a run of neighbours, and the values stay in that order": dealt_out,
        "one scale serves a whole row instead of one group": by_row,
        "one scale serves the whole tensor instead of one group": by_tensor,
    }


def grouping_misses(x: Tensor, group_size: int) -> dict[str, Callable[[], Pair]]:
    """Compute what the classic mistakes give, packed."""
    q, scales = int4(x, group_size)

    def pair(wrong: Callable[[], Pair]) -> Pair:
        return packed(wrong()[0]), wrong()[1]

    def other_bytes(wrong: Callable[[], Tensor]) -> Pair:
        return wrong(), scales

    misses: dict[str, Callable[[], Pair]] = {
        words: partial(pair, wrong) for words, wrong in int4_misses(x, group_size).items()
    }
    return misses | {words: partial(other_bytes, wrong) for words, wrong in packing_misses(q).items()}


def packed(q: Tensor, *, upside: bool = False, offset: bool = False) -> Tensor:
    """Put two integers into each byte, one byte at a time."""
    rows = []
    for row in q.reshape(-1, q.shape[-1]).tolist():
        row = row + [0] * (len(row) % 2)
        nibbles = [(value + 8 if offset else value % 16) for value in row]
        pairs = list(zip(nibbles[0::2], nibbles[1::2], strict=True))
        rows.append([(a << 4 | b) if upside else (b << 4 | a) for a, b in pairs])
    return torch.tensor(rows, dtype=torch.uint8).reshape(*q.shape[:-1], -1)


def packing_misses(q: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Compute what the classic mistakes make of integers."""
    half = (q.shape[-1] + 1) // 2
    padded = torch.cat([q, torch.zeros_like(q[..., : q.shape[-1] % 2])], dim=-1)

    def halves() -> Tensor:
        return packed(torch.stack([padded[..., :half], padded[..., half:]], dim=-1).flatten(-2))

    def smeared() -> Tensor:
        low, high = padded[..., 0::2], padded[..., 1::2]
        return (low | (high << 4)).to(torch.int64).remainder(256).to(torch.uint8)

    return {
        UPSIDE: lambda: packed(q, upside=True),
        "8 is added to each integer; a nibble is a two's complement": lambda: packed(q, offset=True),
        "the first half of a row is joined with the second; a byte holds two neighbours": halves,
        "negative integers are cut to 0 before they are packed: a nibble is a two's complement": lambda: packed(
            q.clamp(min=0)
        ),
        "the sign of the low nibble runs into the high one: keep only its low four bits": smeared,
    }


def unpacked_misses(q: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Compute what the classic mistakes make of q's bytes."""
    bytes_ = packed(q)
    low, high = (bytes_ & 15).to(torch.int8), (bytes_ >> 4).to(torch.int8)

    def signed(x: Tensor) -> Tensor:
        return torch.where(x > 7, x - 16, x)

    def joined(a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([a, b], dim=-1).flatten(-2)[..., : q.shape[-1]]

    return {
        UNSIGNED: lambda: joined(low, high),
        UPSIDE: lambda: joined(signed(high), signed(low)),
        "8 is taken from each nibble; a nibble is a two's complement": lambda: joined(low - 8, high - 8),
        "all low nibbles come first and then all high ones": lambda: torch.cat([signed(low), signed(high)], -1)[
            ..., : q.shape[-1]
        ],
    }
