"""Unusual: one affine class serves absmax, zero point and int4; a view as int8 does packing."""

import dataclasses

import torch
from torch import Tensor, nn


@dataclasses.dataclass
class Affine:
    """Integers between two limits that stand for the numbers (q - start) * scale."""

    scale: Tensor
    start: Tensor | None
    limits: tuple[int, int]

    def quantize(self, x: Tensor) -> Tensor:
        q = torch.round(x / self.scale)
        if self.start is not None:
            q += self.start
        return q.clamp_(*self.limits).char()

    @staticmethod
    def even(x: Tensor, axes: list[int], steps: int) -> "Affine":
        top = torch.linalg.vector_norm(x, ord=float("inf"), dim=axes, keepdim=True)
        return Affine(torch.where(top.eq(0), 1.0, top / steps), None, (-steps, steps))

    @staticmethod
    def uneven(x: Tensor, axes: list[int]) -> "Affine":
        low, high = x.amin(axes, True).clamp_max(0), x.amax(axes, True).clamp_min(0)
        scale = (high - low).div(255)
        scale = scale + (scale == 0)
        return Affine(scale, low.div(scale).neg().sub(128).round(), (-128, 127))


def _axes(x, axis):
    return [a for a in range(x.dim()) if axis is None or a != axis % x.dim()]


def _shaped(value, axis):
    return value.squeeze() if axis is None else value


def quantize_absmax(x, axis=None):
    x = x.to(torch.float)
    affine = Affine.even(x, _axes(x, axis), 127)
    return affine.quantize(x), _shaped(affine.scale, axis)


def quantize_zero_point(x, axis=None):
    x = x.to(torch.float)
    affine = Affine.uneven(x, _axes(x, axis))
    return affine.quantize(x), _shaped(affine.scale, axis), _shaped(affine.start.char(), axis)


def dequantize(q, scale, zero_point=None):
    q = q.short()
    if zero_point is not None:
        q = q - zero_point.short()
    return q.float() * scale


def pack_int4(q):
    low, high = q.amin().item(), q.amax().item()
    if low < -8 or high > 7:
        raise ValueError(f"four bits hold -8..7, not {low}..{high}")
    q = nn.functional.pad(q, (0, q.shape[-1] % 2)).view(torch.uint8)
    pairs = q.unflatten(-1, (-1, 2))
    return pairs[..., 0].bitwise_and(15).bitwise_or(pairs[..., 1].bitwise_left_shift(4))


def unpack_int4(packed, length):
    if packed.shape[-1] * 2 - length not in (0, 1):
        raise ValueError(f"{length} integers cannot be in {packed.shape[-1]} bytes")
    signed = packed.view(torch.int8)
    # Shifting a signed byte to the right draws its sign along.
    low, high = signed.bitwise_left_shift(4).bitwise_right_shift(4), signed.bitwise_right_shift(4)
    out = signed.new_empty(*packed.shape[:-1], packed.shape[-1] * 2)
    out[..., 0::2], out[..., 1::2] = low, high
    return out[..., :length].clone()


def quantize_int4(x, group_size):
    count, rest = divmod(x.shape[-1], group_size)
    if rest:
        raise ValueError(f"{x.shape[-1]} = {count} * {group_size} + {rest}")
    groups = x.to(torch.float).reshape(*x.shape[:-1], count, group_size)
    affine = Affine.even(groups, [groups.dim() - 1], 7)
    return pack_int4(affine.quantize(groups).reshape(x.shape)), affine.scale.squeeze(-1)


def dequantize_int4(packed, scales, group_size):
    q = unpack_int4(packed, group_size * scales.size(-1))
    return torch.kron(scales, torch.ones(group_size)).reshape(q.shape) * q


def int8_linear(x, weight, scale):
    x = x.to(torch.float)
    affine = Affine.even(x, [x.dim() - 1], 127)
    sums = torch.einsum("...i,oi->...o", affine.quantize(x).double(), weight.double())  # exact below 2**53
    return (sums * affine.scale.double() * scale.double().flatten()).float()


class QuantizedLinear(nn.Module):
    def __init__(self, weight, scale, bias=None):
        super().__init__()
        self.d_out, self.d_in = weight.shape
        if bias is None:
            self.bias = None
        else:
            self.register_buffer("bias", bias)
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)

    @classmethod
    def from_linear(cls, linear):
        weight, scale = quantize_absmax(linear.weight.detach(), axis=0)
        return cls(weight, scale, linear.bias.detach().clone() if linear.bias is not None else None)

    def forward(self, x):
        # The scale of an output can just as well be applied to the sum.
        y = nn.functional.linear(x, self.weight.to(x.dtype)) * self.scale.to(x.dtype).squeeze(1)
        return y if self.bias is None else y + self.bias.to(x.dtype)


def quantize_model(model, skip=()):
    everything = dict(model.named_modules())
    for name in skip:
        if name not in everything:
            raise ValueError(f"{name}?")
    alone = {module for name in skip for module in everything[name].modules()}
    users: dict[Tensor, int] = {}
    for module in everything.values():
        for parameter in module._parameters.values():
            if parameter is not None:
                users[parameter] = users.get(parameter, 0) + 1
    chosen = {
        name: module
        for name, module in everything.items()
        if name and isinstance(module, nn.Linear) and module not in alone and users[module.weight] == 1
    }
    for name, module in chosen.items():
        model.set_submodule(name, QuantizedLinear.from_linear(module))
    return [*chosen]


def stored_bytes(model):
    return sum({id(t): t.numel() * t.itemsize for part in (model.parameters(), model.buffers()) for t in part}.values())
