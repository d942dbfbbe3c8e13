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
AXES = range(4)  # that any tensor here has at most
NO_AXIS = [f"there is a scale for each index along axis {axis} though no axis is given" for axis in AXES]
WRONG_AXIS = {
    (other, axis): f"the scales run along axis {other} instead of axis {axis}: reduce over all the other axes"
    for other in AXES
    for axis in range(-4, 4)
}
RECIPROCAL = "the scale returned is the reciprocal of the right one: q times the scale must be nearly x"
NOT_QUANTIZED = "the layers still compute with their float weights"
ROUNDINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "even": torch.round,
    "truncated": torch.trunc,
    "floored": torch.floor,
    "up": lambda x: torch.floor(x + 0.5),
    "away": lambda x: torch.sign(x) * torch.floor(x.abs() + 0.5),
    "half added": lambda x: torch.trunc(x + 0.5),
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


def upside_down(answer: tuple[Tensor, ...]) -> Any:
    """Return integers with the reciprocals of their scales."""
    return answer[0], 1 / answer[1], *answer[2:]


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
        "a half is added and the sum cut off towards 0, which rounds negative numbers wrongly": lambda: absmax(
            x, along=axis, rounding="half added"
        ),
        RECIPROCAL: lambda: upside_down(absmax(x, along=axis)),
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
    rounding: str = "even",
    least: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Quantize with a zero point in float64."""
    x = x.double()
    low, high = reduced(torch.amin, x, along), reduced(torch.amax, x, along)
    if include:
        low, high = low.clamp(max=0), high.clamp(min=0)
    scale = torch.where(high == low, 1.0, ((high - low) / steps).clamp(min=least))
    limits = (-128, 127) if clamp else (-300, 300)
    start = torch.round(-128 - low / scale).clamp(*limits)
    q = ROUNDINGS[rounding](x / scale) + start if whole else torch.round(x / scale - low / scale) - 128
    return wrapped(q.clamp(*limits)), scale.float(), wrapped(start)


def unsigned(x: Tensor, axis: int | None, wraps: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Quantize into 0 to 255, and cast to int8, where what does not fit comes round or is cut off before."""
    _, scale, start = zero_point(x, along=axis)
    begin, scale = start.double() + 128, scale.double()
    q = torch.round(x.double() / scale) + begin
    if not wraps:
        begin = begin.clamp(max=127)
        q = (torch.round(x.double() / scale) + begin).clamp(-128, 127)
    return wrapped(q.clamp(max=255)), scale.float(), wrapped(begin)


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
        "integers run from 0 to 255, which int8 does not hold: its -128 to 127 are those less 128": lambda: unsigned(
            x, axis, wraps=True
        ),
        "the zero point is that of integers from 0 to 255; in int8 it is 128 less": lambda: unsigned(
            x, axis, wraps=False
        ),
        RECIPROCAL: lambda: upside_down(zero_point(x, along=axis)),
        "a half is added and the sum cut off towards 0, which rounds negative numbers wrongly": lambda: zero_point(
            x, along=axis, rounding="half added"
        ),
        "quotients are cut off towards 0 instead of rounded": lambda: zero_point(x, along=axis, rounding="truncated"),
        "the range is taken as if it lay evenly around 0 (that is absmax)": lambda: (
            *absmax(x, along=axis),
            torch.zeros_like(absmax(x, along=axis)[1]).to(torch.int8),
        ),
    }
    misses |= {words: partial(zero_point, x, along=axis, least=least) for least, words in SCALE_AT_LEAST.items()}
    return misses | axis_misses(zero_point, x, axis)


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


def product(x: Tensor, layer: Pair, *, each: bool = True, signed: bool = False, width: Any = torch.int64) -> Tensor:
    """Quantize x, multiply integers of some width with a layer's, and scale."""
    weight, scale = layer
    rows = x.reshape(-1, x.shape[-1])
    q, scale_x = absmax(rows, along=0 if each else None, signed=signed)
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
        "the scale of x comes from its largest value instead of its largest magnitude": lambda: product(
            x, (weight, scale), signed=True
        ),
        "x is not quantized: the product is made of floats": lambda: x @ (weight.float() * scale).T,
    }


# ── inputs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


COARSE = "the scale is rounded to float16 or bfloat16; scales are float32"
AT_LEAST = {
    1e-5: "max|x| is taken to be 1e-5 at least: what is smaller than that loses its digits",
    1e-8: "max|x| is taken to be 1e-8 at least: what is smaller than that loses its digits",
}
SCALE_AT_LEAST = {
    1e-5: "the scale is taken to be 1e-5 at least: what is smaller than that loses its digits",
    1e-8: "the scale is taken to be 1e-8 at least: what is smaller than that loses its digits",
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
