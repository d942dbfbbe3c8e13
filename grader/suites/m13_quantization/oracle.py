"""The reference for m13_quantization: exact in float64, with a switch for every classic mistake, and inputs to match.

The inputs are chosen so that every definition gives the same integers: scales are powers of two, and multiples of a
quarter of them divide without error, or no quotient comes near a half.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]

ZERO = "where all is 0 the scale is 0 too, and 0 / 0 is NaN: put 1 in its place"
WRAPPED = "values are not cut off before the cast to int8, where 128 comes back as -128"
UPSIDE = "the nibbles are the wrong way round: the first integer of a pair goes into the low four bits"
UNSIGNED = "nibbles are not given their sign back: 8 to 15 stand for -8 to -1"
AXES = range(4)  # that any tensor here has at most
NO_AXIS = [f"there is a scale for each index along axis {axis} though no axis is given" for axis in AXES]
WRONG_AXIS = {
    (other, axis): f"the scales run along axis {other} instead of axis {axis}: reduce over all the other axes"
    for other in AXES
    for axis in range(-4, 4)
}
NOT_QUANTIZED = "the layers still compute with their float weights"
ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "even": torch.round,
    "truncated": torch.trunc,
    "floored": torch.floor,
    "up": lambda x: torch.floor(x + 0.5),
    "away": lambda x: torch.sign(x) * torch.floor(x.abs() + 0.5),
}


def reduced(reduce: Callable[..., Tensor], x: Tensor, axis: int | None) -> Tensor:
    """Reduce each channel to one number and keep the axes; without an axis, everything to one number."""
    if axis is None:
        return reduce(x)
    rows = x.movedim(axis, 0).reshape(x.shape[axis], -1)
    shape = [1] * x.ndim
    shape[axis] = -1
    return reduce(rows, dim=1).reshape(shape)


def absmax(
    x: Tensor,
    *,
    along: int | None = None,
    rounding: str = "even",
    limit: int = 127,
    divisor: int = 127,
    signed: bool = False,
    least: float = 0.0,
    kept: torch.dtype = torch.float64,
) -> Pair:
    """Quantize by absmax in float64."""
    peak = reduced(torch.amax, x.double() if signed else x.double().abs(), along)
    scale = torch.where(peak == 0, 1.0, peak.clamp(min=least) / divisor).to(kept).double()
    return wrapped(ROUNDINGS[rounding](x.double() / scale).clamp(-limit, limit)), scale.float()


def wrapped(values: Tensor) -> Tensor:
    """Cast to int8 as the hardware does: what does not fit comes round."""
    return values.to(torch.int64).to(torch.int8)


def parts(misses: dict[str, Callable[[], Any]], index: int) -> dict[str, Callable[[], Any]]:
    """Take one part of what each mistake gives."""

    def part(wrong: Callable[[], Any]) -> Any:
        return wrong()[index]

    return {words: partial(part, wrong) for words, wrong in misses.items()}


def likeliest_first(misses: dict[str, Callable[[], Any]], actual: Any) -> dict[str, Callable[[], Any]]:
    """Put the mistakes first that explain all parts of an answer, integers and scales alike."""

    def alike(one: Any, other: Any) -> bool:
        if type(one) is not Tensor or one.shape != other.shape:
            return False
        return torch.allclose(one.double(), other.double(), rtol=1e-6, atol=0.0, equal_nan=True)

    def explains(wrong: Callable[[], Any]) -> bool:
        return all(alike(one, other) for one, other in zip(actual, wrong(), strict=True))

    return dict(sorted(misses.items(), key=lambda item: not explains(item[1])))


def upside_down(answer: Pair) -> Pair:
    """Return integers with the reciprocals of their scales."""
    return answer[0], 1 / answer[1]


def absmax_misses(x: Tensor, axis: int | None = None) -> dict[str, Callable[[], Pair]]:
    """Compute what the classic mistakes give."""
    misses = {
        "quotients are cut off towards 0 (a cast to int8 does that) instead of rounded": lambda: absmax(
            x, along=axis, rounding="truncated"
        ),
        "quotients are rounded down instead of to the nearest integer": lambda: absmax(
            x, along=axis, rounding="floored"
        ),
        "halves are rounded up; torch.round takes them to the even neighbour": lambda: absmax(
            x, along=axis, rounding="up"
        ),
        "halves are rounded away from 0; torch.round takes them to the even neighbour": lambda: absmax(
            x, along=axis, rounding="away"
        ),
        "the scale returned is 127 / max|x|, its reciprocal: q times it must be nearly x": lambda: upside_down(
            absmax(x, along=axis)
        ),
        "the scale is max|x| / 128: the largest value becomes 128, which int8 does not have": lambda: absmax(
            x, along=axis, divisor=128, limit=128
        ),
        "the scale is max|x| / 128 instead of / 127": lambda: absmax(x, along=axis, divisor=128),
        "the scale is max|x| / 255: -127..127 has 127 steps on each side": lambda: absmax(x, along=axis, divisor=255),
        "the scale comes from the largest value instead of the largest magnitude": lambda: absmax(
            x, along=axis, signed=True
        ),
        "the zero point of m13.2 has no place here: absmax lies evenly around 0": lambda: zero_point(x, along=axis)[:2],
    }
    misses |= {words: partial(absmax, x, along=axis, least=least) for least, words in AT_LEAST.items()}
    misses[COARSE] = partial(absmax, x, along=axis, kept=torch.bfloat16)
    return misses | axis_misses(absmax, x, axis)


def axis_misses(quantize: Callable[..., Any], x: Tensor, axis: int | None) -> dict[str, Callable[[], Any]]:
    """Compute what other channels than the ones asked for give."""
    if axis is None:
        return {NO_AXIS[other]: partial(quantize, x, along=other) for other in range(x.ndim)}
    misses: dict[str, Callable[[], Any]] = {
        "one scale serves all channels: the axis is not used": partial(quantize, x, along=None)
    }
    for other in range(x.ndim):
        if other != axis % x.ndim:
            misses[WRONG_AXIS[other, axis]] = partial(quantize, x, along=other)
    return misses


def zero_point(
    x: Tensor,
    *,
    along: int | None = None,
    include: bool = True,
    clamp: bool = True,
    whole: bool = True,
    steps: int = 255,
) -> tuple[Tensor, Tensor, Tensor]:
    """Quantize with a zero point in float64."""
    x = x.double()
    low, high = reduced(torch.amin, x, along), reduced(torch.amax, x, along)
    if include:
        low, high = low.clamp(max=0), high.clamp(min=0)
    scale = torch.where(high == low, 1.0, (high - low) / steps)
    limits = (-128, 127) if clamp else (-300, 300)
    start = torch.round(-128 - low / scale).clamp(*limits)
    q = torch.round(x / scale) + start if whole else torch.round(x / scale - low / scale) - 128
    return wrapped(q.clamp(*limits)), scale.float(), wrapped(start)


def zero_point_misses(x: Tensor, axis: int | None = None) -> dict[str, Callable[[], Any]]:
    """Compute what the classic mistakes give."""
    misses: dict[str, Callable[[], Any]] = {
        "0 is not in reach: low must be at most 0 and high at least 0": lambda: zero_point(
            x, along=axis, include=False
        ),
        WRAPPED: lambda: zero_point(x, along=axis, clamp=False),
        "0 is not in reach and zero points come round: low must be at most 0, high at least 0": lambda: zero_point(
            x, along=axis, include=False, clamp=False
        ),
        "quotient and zero point are rounded together, so an exact 0 may not stay one: round each by itself": lambda: (
            zero_point(x, along=axis, whole=False)
        ),
        "the scale is (high - low) / 256: from -128 to 127 there are 255 steps": lambda: zero_point(
            x, along=axis, steps=256
        ),
        "the scale is (high - low) / 127: from -128 to 127 there are 255 steps": lambda: zero_point(
            x, along=axis, steps=127
        ),
        "the range is taken as if it lay evenly around 0 (that is absmax)": lambda: (
            *absmax(x, along=axis),
            torch.zeros_like(absmax(x, along=axis)[1]).to(torch.int8),
        ),
    }
    return misses | axis_misses(zero_point, x, axis)


def int4(x: Tensor, group_size: int, *, divisor: int = 7, limit: int = 7, rounding: str = "even") -> Pair:
    """Quantize runs of group_size along the last axis in float64; returns the integers, not packed, and the scales."""
    groups = x.double().reshape(*x.shape[:-1], -1, group_size)
    peak = groups.abs().amax(-1, keepdim=True)
    scales = torch.where(peak == 0, 1.0, peak / divisor)
    q = ROUNDINGS[rounding](groups / scales).clamp(-limit - (divisor != 7), limit)
    return q.reshape(x.shape).to(torch.int8), scales[..., 0].float()


def int4_misses(x: Tensor, group_size: int) -> dict[str, Callable[[], Pair]]:
    """Compute what the classic mistakes give."""
    n_groups = x.shape[-1] // group_size

    def strided() -> Pair:
        dealt = x.reshape(*x.shape[:-1], group_size, n_groups).transpose(-1, -2).reshape(x.shape)
        q, scales = int4(dealt, group_size)
        return q.reshape(*x.shape[:-1], n_groups, group_size).transpose(-1, -2).reshape(x.shape), scales

    def by_row() -> Pair:
        q, scales = int4(x, x.shape[-1])
        return q, scales.repeat_interleave(n_groups, dim=-1)

    def by_tensor() -> Pair:
        q, scales = int4(x.reshape(-1), x.numel())
        return q.reshape(x.shape), scales.expand(*x.shape[:-1], n_groups)

    return {
        "the scale is max|x| / 8 instead of / 7": lambda: int4(x, group_size, divisor=8),
        "the scale is max|x| / 15 instead of / 7": lambda: int4(x, group_size, divisor=15),
        "quotients are cut off towards 0 instead of rounded": lambda: int4(x, group_size, rounding="truncated"),
        "a group is every n-th value instead of a run of neighbours": strided,
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
        nibbles = [(value + 8 if offset else value % 16) for value in row] + [0] * (len(row) % 2)
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


def dequantized_misses(q: Tensor, scale: Tensor, start: Tensor | None = None) -> dict[str, Callable[[], Tensor]]:
    """Compute what the classic mistakes give on the way back."""
    misses = {"q is divided by the scale instead of multiplied": lambda: (q - (0 if start is None else start)) / scale}
    if start is None:
        return misses
    return misses | {
        "the zero point is subtracted in int8, where the difference comes round: make floats first": lambda: (
            (q - start).float() * scale
        ),
        "the zero point is added instead of subtracted": lambda: (q.float() + start.float()) * scale,
        "the zero point is left out": lambda: q.float() * scale,
        "the zero point is subtracted after the scale was applied": lambda: q.float() * scale - start.float(),
    }


def product(x: Tensor, layer: Pair, *, each: bool = True, width: torch.dtype = torch.int64) -> Tensor:
    """Quantize x, multiply integers of some width with a layer's, and scale."""
    weight, scale = layer
    rows = x.reshape(-1, x.shape[-1])
    q, scale_x = absmax(rows, along=0 if each else None)
    if width == torch.int8:
        sums = (q[:, None, :] * weight[None]).sum(-1, dtype=torch.int8)
    else:
        sums = (q.to(width)[:, None, :] * weight.to(width)[None]).sum(-1, dtype=width)
    return (sums.double() * scale_x.double() * scale.double().T).float().reshape(*x.shape[:-1], -1)


def product_misses(x: Tensor, weight: Tensor, scale: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Compute what the classic mistakes give."""
    ones, rows = torch.ones_like(scale), absmax(x.reshape(-1, x.shape[-1]), along=0)[1].reshape(*x.shape[:-1], 1)
    extra = (
        {
            "an axis is added to a single vector: the weight's scale has two axes, flatten it": lambda: product(
                x, (weight, scale)
            )[None]
        }
        if x.ndim == 1
        else {}
    )
    return extra | {
        "products and sums are made in int8 and come round: widen both factors first": lambda: product(
            x, (weight, scale), width=torch.int8
        ),
        "sums are made in int16 and come round: an int32 holds them": lambda: product(
            x, (weight, scale), width=torch.int16
        ),
        "one scale serves all vectors of x instead of one each": lambda: product(x, (weight, scale), each=False),
        "the weight's scale is not applied": lambda: product(x, (weight, ones)),
        "the scale of x is not applied": lambda: product(x, (weight, scale)) / rows,
        "x is not quantized: the product is made of floats": lambda: x @ (weight.float() * scale).T,
    }


# ── inputs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


COARSE = "the scale is rounded to float16 or bfloat16; scales are float32"
AT_LEAST = {
    1e-5: "max|x| is taken to be 1e-5 at least: what is smaller than that loses its digits",
    1e-8: "max|x| is taken to be 1e-8 at least: what is smaller than that loses its digits",
}
OFF = 1 + 2.0**-13


def powers(draw: Any, shape: tuple[int, ...], axis: int | None) -> Tensor:
    """Draw a power of two for each channel, two neighbours never alike, and make each a little larger.

    So float32 holds them, and what is a product of one and a number of ten bits; float16 and bfloat16 do not.
    """
    if axis is None:
        return OFF * torch.tensor(2.0 ** draw.random.randrange(-6, 4))
    wanted = [1] * len(shape)
    wanted[axis] = shape[axis]
    exponents = draw.integers(0, 3, shape[axis]) * 2 + torch.arange(shape[axis]) % 2 - 3
    return OFF * (2.0 ** exponents.float()).reshape(wanted)


def grid(draw: Any, shape: tuple[int, ...], axis: int | None, low: float, high: float, n: int = 4) -> Tensor:
    """Draw multiples of 1 / n from low to high, both of which occur in every channel, times some factor for each."""
    values = draw.integers(round(low * n), round(high * n) + 1, *shape).float() / n
    rows = values.reshape(1, -1) if axis is None else values.movedim(axis, 0).reshape(shape[axis], -1).clone()
    for row in rows:
        first, second, third = (int(place) for place in draw.permutation(row.numel())[:3])
        row[first], row[second], row[third] = low, high, (low + high) // 2 + 0.5
    if axis is None:
        values = rows.reshape(shape)
    else:
        moved = [shape[axis], *(size for other, size in enumerate(shape) if other != axis % len(shape))]
        values = rows.reshape(moved).movedim(0, axis)
    return values.contiguous() * powers(draw, shape, axis)


def four_bits(draw: Any) -> list[Tensor]:
    """Draw integers of four bits: the docstring's, all there are, a single one, and some of several axes."""
    drawn = [draw.integers(-8, 8, *shape) for shape in ((1,), (3, 10), (2, 3, 7))]
    return [q.to(torch.int8) for q in (torch.tensor([1, -1, 7]), torch.arange(-8, 8), *drawn)]


def coarse(draw: Any, low: int, high: int, *shape: int) -> Tensor:
    """Draw multiples of 512 between two, both of which occur, whose quotients are not near a half."""
    steps = 254 if low == -high else 255
    whole = [k for k in range(low, high + 1) if abs((k * steps / (high - low)) % 1 - 0.5) > 0.005]
    picked = torch.tensor(whole)[draw.integers(0, len(whole), *shape)]
    picked.view(-1)[:2] = torch.tensor([low, high])
    return picked.float() * 512
