"""Unusual: loops over channels, groups and single integers; all in float32; names are found by get_submodule."""

import torch
from torch import Tensor, nn


def _each(function, x: Tensor, axis: int):
    """Apply a function to each channel by itself and put its results together along the axis."""
    axis %= x.ndim
    parts = [function(channel) for channel in x.unbind(axis)]
    q, *rest = (torch.stack(values, dim=0) for values in zip(*parts, strict=True))
    wanted = [-1 if other == axis else 1 for other in range(x.ndim)]
    return q.movedim(0, axis), *(value.reshape(wanted) for value in rest)


def quantize_absmax(x: Tensor, axis=None):
    if axis is not None:
        return _each(quantize_absmax, x, axis)
    x = x.to(torch.float32)
    top = max(-x.min(), x.max())
    scale = top / 127 if top > 0 else torch.ones(())
    return x.div(scale).round().to(torch.int8), scale


def quantize_zero_point(x: Tensor, axis=None):
    if axis is not None:
        return _each(quantize_zero_point, x, axis)
    x = x.to(torch.float32)
    zero = torch.zeros(())
    low, high = torch.minimum(x.min(), zero), torch.maximum(x.max(), zero)
    scale = (high - low) / 255 if high > low else torch.ones(())
    start = (-128 - low / scale).round()
    return x.div(scale).round().add(start).clip(-128, 127).to(torch.int8), scale, start.to(torch.int8)


def dequantize(q: Tensor, scale: Tensor, zero_point=0) -> Tensor:
    if zero_point is None:
        zero_point = 0
    return q.to(torch.float32).sub(zero_point).mul(scale)


def pack_int4(q: Tensor) -> Tensor:
    rows = []
    for row in q.reshape(-1, q.shape[-1]).tolist():
        packed = []
        for at, value in enumerate(row):
            if not -8 <= value < 8:
                raise ValueError("%d needs more than four bits" % value)
            if at % 2:
                packed[-1] += (value & 15) << 4
            else:
                packed.append(value & 15)
        rows.append(packed)
    return torch.tensor(rows, dtype=torch.uint8).reshape(*q.shape[:-1], -1)


def unpack_int4(packed: Tensor, length: int) -> Tensor:
    if (length + length % 2) != 2 * packed.shape[-1]:
        raise ValueError("length %d, but %d bytes" % (length, packed.shape[-1]))
    rows = []
    for row in packed.reshape(-1, packed.shape[-1]).tolist():
        nibbles = [nibble for byte in row for nibble in (byte % 16, byte // 16)]
        rows.append([nibble - 16 if nibble & 8 else nibble for nibble in nibbles][:length])
    return torch.tensor(rows, dtype=torch.int8).reshape(*packed.shape[:-1], length)


def quantize_int4(x: Tensor, group_size: int):
    n = x.shape[-1]
    if n // group_size * group_size != n:
        raise ValueError("%d is no multiple of %d" % (n, group_size))
    integers, scales = [], []
    for group in x.to(torch.float32).split(group_size, dim=-1):
        top = group.abs().max(dim=-1, keepdim=True).values
        scale = top.div(7).masked_fill(top == 0, 1)
        integers.append(group.div(scale).round().to(torch.int8))
        scales.append(scale)
    return pack_int4(torch.cat(integers, -1)), torch.cat(scales, -1)


def dequantize_int4(packed: Tensor, scales: Tensor, group_size: int) -> Tensor:
    groups = unpack_int4(packed, scales.shape[-1] * group_size).split(group_size, -1)
    return torch.cat([group * scale.unsqueeze(-1) for group, scale in zip(groups, scales.unbind(-1), strict=True)], -1)


def int8_linear(x: Tensor, weight: Tensor, scale: Tensor) -> Tensor:
    if x.dim() > 1:
        return torch.stack([int8_linear(part, weight, scale) for part in x])
    q, own = quantize_absmax(x)
    sums = [(q.to(torch.int64) * row).sum() for row in weight]
    return torch.stack([total * own * factor for total, factor in zip(sums, scale.flatten(), strict=True)])


class QuantizedLinear(nn.Module):
    def __init__(self, weight, scale, bias=None):
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    @classmethod
    def from_linear(cls, linear):
        with torch.no_grad():
            rows = [quantize_absmax(row) for row in linear.weight]
            weight = torch.stack([q for q, _ in rows])
            scale = torch.stack([own for _, own in rows])[:, None]
            return cls(weight, scale, None if linear.bias is None else torch.clone(linear.bias))

    def forward(self, x):
        outputs = [(x.float() * row).sum(-1) for row in self.weight * self.scale]
        y = torch.stack(outputs, dim=-1)
        return (y if self.bias is None else y + self.bias).to(x.dtype)


def quantize_model(model, skip=()):
    for name in skip:
        try:
            model.get_submodule(name)
        except AttributeError:
            raise ValueError("no module is called " + name) from None
    found = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and name]
    replaced = []
    for name in found:
        parts = name.split(".")
        prefixes = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        if any(prefix in skip for prefix in prefixes):
            continue
        layer = model.get_submodule(name)
        holders = [m for m in model.modules() if any(p is layer.weight for p in m.parameters(recurse=False))]
        if len(holders) == 1:
            replaced.append(name)
    for name in replaced:
        parent = model.get_submodule(name.rpartition(".")[0])
        setattr(parent, name.rpartition(".")[2], QuantizedLinear.from_linear(model.get_submodule(name)))
    return replaced


def stored_bytes(model):
    total = sum(p.numel() * p.element_size() for p in model.parameters())
    return total + sum(b.numel() * b.element_size() for b in model.buffers())
