"""m13_quantization: store a model's weights in one byte each, or in half a byte.

A weight takes 4 bytes, and hardly needs them: a small integer and a scale that many weights share say nearly the same.
You choose scales in two ways, squeeze two weights into a byte, and put a whole GPT on a diet.

A channel is one index along `axis`. Scales and all arithmetic are float32, whatever comes in (QuantizedLinear's may be
in x's dtype); round is torch.round, which takes a half to its even neighbour. No argument changes, but m13.5's model.
Left out: choosing scales by data (GPTQ, AWQ), training through the rounding, fused kernels, numbers below 1e-35. Not
allowed, since you build them: torch.quantize_per_tensor, torch.fake_quantize_*, torch.ao and torch.nn.quantized.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int8, UInt8
from torch import Tensor, nn


def quantize_absmax(x: Float[Tensor, "..."], axis: int | None = None) -> tuple[Tensor, Tensor]:
    """Return q (int8) and scale, so that q * scale is nearly x: scale = max|x| / 127, q = round(x / scale), -127..127.

    With an axis each channel has a scale of its own, and `scale` has x's axes, all of size 1 but this one; without, one
    scale of shape [] serves all. Where all of x is 0 the scale is 1. (Dettmers et al. 2022, LLM.int8(), section 2.1.)
    Example: [[127, -2.5], [0, 0]] gives [[127, -2], [0, 0]] with the scale 1, and with axis=0 the scales [[1], [1]].
    """
    x = x.float()
    scale = _or_one(_over_channels(torch.amax, x.abs(), axis) / 127)
    return torch.round(x / scale).clamp(-127, 127).to(torch.int8), scale


def quantize_zero_point(x: Float[Tensor, "..."], axis: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Return q (int8), scale and zero_point (int8), so that (q - zero_point) * scale is nearly x.

    low = min(min x, 0) and high = max(max x, 0): 0 is always in reach. scale = (high - low) / 255, or 1 where that is
    0; zero_point = round(-128 - low / scale); q = round(x / scale) + zero_point, cut off at -128 and 127. An exact 0
    so stays one. Both are shaped as quantize_absmax shapes a scale. (Jacob et al. 2018, sections 2.1 and 3.)
    Example: [-55, 0, 2.5, 200] gives [-128, -73, -71, 127], the scale 1 and the zero point -73.
    """
    x = x.float()
    low = _over_channels(torch.amin, x, axis).clamp(max=0)
    high = _over_channels(torch.amax, x, axis).clamp(min=0)
    scale = _or_one((high - low) / 255)
    zero_point = torch.round(-128 - low / scale).clamp(-128, 127)
    # Pitfall: cut off before the cast. 128 has no place in int8 and comes back as -128, the largest as the smallest.
    q = (torch.round(x / scale) + zero_point).clamp(-128, 127)
    return q.to(torch.int8), scale, zero_point.to(torch.int8)


def dequantize(q: Int8[Tensor, "..."], scale: Tensor, zero_point: Tensor | None = None) -> Float[Tensor, "..."]:
    """Return (q - zero_point) * scale in float32, or q * scale without a zero point; scales broadcast to q.

    Example: q [127, -128] with the scale 0.5 and the zero point -100 is [113.5, -14].
    """
    values = q.float()  # first: in int8, 127 - (-100) would come round to -29
    if zero_point is not None:
        values = values - zero_point.float()
    return values * scale


def pack_int4(q: Int8[Tensor, "... n"]) -> UInt8[Tensor, "... n_bytes"]:
    """Put two integers from -8..7 into each byte: q[2i] into the low nibble (4 bits) and q[2i + 1] into the high one.

    A nibble is a two's complement: -1 is 15. n_bytes is n / 2, rounded up; an odd n leaves the last high nibble 0.
    Example: [1, -1, 7] is [0xF1, 0x07]. Raises ValueError, naming the value, when one is outside -8..7.
    """
    outside = q[(q < -8) | (q > 7)]
    if outside.numel():
        raise ValueError(f"{int(outside[0])} does not fit into four bits, which hold -8 to 7")
    if q.shape[-1] % 2:
        q = torch.cat([q, torch.zeros_like(q[..., :1])], dim=-1)
    nibbles = (q & 0xF).to(torch.uint8)  # the low four bits of a two's complement are one of four bits
    return nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)


def unpack_int4(packed: UInt8[Tensor, "... n_bytes"], length: int) -> Int8[Tensor, "... length"]:
    """Undo pack_int4. Raises ValueError, naming length and n_bytes, when so many integers take another n_bytes."""
    if (length + 1) // 2 != packed.shape[-1]:
        raise ValueError(f"{length} integers don't take {packed.shape[-1]} bytes")
    nibbles = torch.stack([packed & 0xF, packed >> 4], dim=-1).flatten(-2)[..., :length].to(torch.int8)
    return torch.where(nibbles > 7, nibbles - 16, nibbles)  # 8 to 15 stand for -8 to -1


def quantize_int4(x: Float[Tensor, "... n"], group_size: int) -> tuple[Tensor, Tensor]:
    """Quantize each run of group_size values along the last axis by itself.

    Returns packed (uint8, "... n_bytes") and scales (float32, "... n_groups"): scale = max|x| / 7 in its group, 1 where
    all are 0, and q = round(x / scale), in -7..7, packed along the whole axis. (Dettmers and Zettlemoyer 2023.)
    Example: [7, -2.5, 3.5, 1] in groups of 2 gives [0xE7, 0x27] and the scales [1, 0.5].
    Raises ValueError, naming both numbers, when group_size does not divide n.
    """
    n = x.shape[-1]
    if n % group_size != 0:
        raise ValueError(f"{n} values cannot be cut into groups of {group_size}")
    groups = x.float().unflatten(-1, (n // group_size, group_size))  # (..., n) -> (..., n_groups, group_size)
    scales = _or_one(groups.abs().amax(-1) / 7)
    q = torch.round(groups / scales[..., None]).clamp(-7, 7)
    return pack_int4(q.flatten(-2).to(torch.int8)), scales


def dequantize_int4(packed: Tensor, scales: Tensor, group_size: int) -> Float[Tensor, "... n"]:
    """Return each of quantize_int4's integers times its group's scale, in float32: n is n_groups * group_size."""
    q = unpack_int4(packed, scales.shape[-1] * group_size)
    return q * scales.repeat_interleave(group_size, dim=-1)


def int8_linear(x: Float[Tensor, "... d_in"], weight: Int8[Tensor, "d_out d_in"], scale: Tensor) -> Tensor:
    """Multiply in integers: each vector of x by absmax with a scale of its own, sums in int32, both scales at the end.

    `scale` is (d_out, 1), the result float32 "... d_out". (LLM.int8(), section 3.1.)
    Example: x [[127, -2.5]], weight [[100, 3]] and scale [[0.5]] give (12700 - 6) * 1 * 0.5, so [[6347]].
    """
    scale_x = _or_one(x.float().abs().amax(-1, keepdim=True) / 127)
    q = torch.round(x.float() / scale_x).clamp(-127, 127)
    # Pitfall: widen before the product. Two of int8 multiply to int8 in torch, and 100 * 100 is 16 there.
    sums = q.to(torch.int32) @ weight.to(torch.int32).T  # (..., d_in) @ (d_in, d_out) -> (..., d_out)
    return sums * scale_x * scale[:, 0]  # a vector alone stays one: (d_out, 1) turned round would add an axis


class QuantizedLinear(nn.Module):
    """A linear layer that keeps its matrix in int8: x @ dequantize(weight, scale).T + bias, returned in x's dtype.

    It has no parameters. Its buffers, and all it keeps, are `weight` (int8, d_out d_in), `scale` (float32, d_out 1: one
    for each row) and `bias` (float32, d_out, or None). Gradients flow to x.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.weight, self.scale = nn.Buffer(weight), nn.Buffer(scale)  # saved and moved with the model, never trained
        self.bias = None if bias is None else nn.Buffer(bias)

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> "QuantizedLinear":
        """Return a layer with linear's weight quantized by absmax, a scale for each of its outputs, and its bias."""
        # nn.Linear keeps its matrix as (d_out, d_in): axis 0 is a channel for each output.
        weight, scale = quantize_absmax(linear.weight.detach(), axis=0)
        return cls(weight, scale, None if linear.bias is None else linear.bias.detach().float().clone())

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_out"]:
        """Turn the weight back into floats for the time of this product only."""
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return nn.functional.linear(x, dequantize(self.weight, self.scale).to(x.dtype), bias)


def quantize_model(model: nn.Module, skip: tuple[str, ...] = ()) -> list[str]:
    """Replace every nn.Linear inside the model, at any depth, by a QuantizedLinear, and return their names in order.

    Names and order are those of model.named_modules(). Left alone are each module named in `skip`, with all inside it,
    and each layer whose weight another module holds as well (GPT-2's lm_head, tied to wte): int8 would come on top.
    Raises ValueError, naming it and changing nothing, when `skip` has a name that no module bears.
    """
    modules = dict(model.named_modules())
    for name in skip:
        if name not in modules:
            raise ValueError(f"skip names {name!r}, and the model has no such module")
    holders = [id(weight) for module in modules.values() for weight in module.parameters(recurse=False)]
    replaced = []
    for name, module in modules.items():
        # With the dot: h.1 is no part of h.10, nor h.10 of h.1.
        skipped = any(f"{name}.".startswith(f"{other}.") for other in skip)
        if not name or skipped or not isinstance(module, nn.Linear) or holders.count(id(module.weight)) > 1:
            continue
        parent, _, own = name.rpartition(".")
        setattr(modules[parent], own, QuantizedLinear.from_linear(module))
        replaced.append(name)
    return replaced


def stored_bytes(model: nn.Module) -> int:
    """Return how many bytes the model's parameters and buffers take; one that stands in two places counts once."""
    tensors = {id(tensor): tensor for tensor in [*model.parameters(), *model.buffers()]}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _over_channels(reduce: Callable[..., Tensor], x: Tensor, axis: int | None) -> Tensor:
    """Reduce over all axes but one, which keeps its place; over everything without an axis."""
    if axis is None:
        return reduce(x)
    return reduce(x, dim=[other for other in range(x.ndim) if other != axis % x.ndim], keepdim=True)


def _or_one(scale: Tensor) -> Tensor:
    """Put 1 where a scale is 0: whatever divides nothing but zeros, leaves them."""
    return torch.where(scale > 0, scale, 1.0)
