"""Unusual: numpy does the arithmetic in float64, bytes are made by arithmetic instead of bits, no type hints."""

import numpy as np
import torch
from torch import nn


def _array(x):
    return x.detach().to(torch.float64).numpy()


def _axes(x, axis):
    return None if axis is None else tuple(set(range(x.ndim)) - {axis % x.ndim})


def _tensor(array, dtype):
    return torch.from_numpy(np.ascontiguousarray(array)).reshape(np.shape(array)).to(dtype)


def quantize_absmax(x, axis=None):
    x = _array(x)
    top = np.asarray(np.abs(x).max(axis=_axes(x, axis), keepdims=axis is not None))
    scale = np.where(top == 0, 1.0, top / 127)
    return _tensor(np.rint(x / scale), torch.int8), _tensor(scale, torch.float32)


def quantize_zero_point(x, axis=None):
    x = _array(x)
    keep = {"axis": _axes(x, axis), "keepdims": axis is not None, "initial": 0.0}
    low, high = np.asarray(x.min(**keep)), np.asarray(x.max(**keep))
    scale = np.where(high == low, 1.0, (high - low) / 255)
    start = np.rint(-128 - low / scale)
    q = np.minimum(np.maximum(np.rint(x / scale) + start, -128), 127)
    return _tensor(q, torch.int8), _tensor(scale, torch.float32), _tensor(start, torch.int8)


def dequantize(q, scale, zero_point=None):
    steps = q.to(torch.int32)
    return scale * (steps if zero_point is None else steps.sub(zero_point))


def pack_int4(q):
    values = q.to(torch.int64).numpy()
    if ((values + 8) // 16).any():
        raise ValueError(f"out of range: {values[(values + 8) // 16 != 0]}")
    values = np.pad(values % 16, [(0, 0)] * (values.ndim - 1) + [(0, values.shape[-1] % 2)])
    return _tensor(values[..., ::2] + 16 * values[..., 1::2], torch.uint8)


def unpack_int4(packed, length):
    if packed.shape[-1] != -(-length // 2):
        raise ValueError(f"{packed.shape[-1]} bytes for {length} integers")
    values = np.repeat(packed.to(torch.int64).numpy(), 2, axis=-1)
    values[..., 1::2] //= 16
    return _tensor(((values + 8) % 16 - 8)[..., :length], torch.int8)


def quantize_int4(x, group_size):
    if x.shape[-1] % group_size:
        raise ValueError(f"groups of {group_size} from {x.shape[-1]}")
    rows = _array(x).reshape(-1, group_size)
    top = np.abs(rows).max(axis=1)
    scales = np.where(top == 0, 1.0, top / 7)
    q = _tensor(np.rint(rows / scales[:, None]), torch.int8).reshape(x.shape)
    return pack_int4(q), _tensor(scales, torch.float32).reshape(*x.shape[:-1], -1)


def dequantize_int4(packed, scales, group_size):
    q = unpack_int4(packed, group_size * scales.shape[-1])
    return (q.reshape(*scales.shape, group_size) * scales.unsqueeze(-1)).flatten(-2)


def int8_linear(x, weight, scale):
    rows = x.reshape(-1, x.shape[-1])
    q, scales = quantize_absmax(rows, 0)
    sums = q.numpy().astype(np.int64) @ weight.numpy().astype(np.int64).T
    result = sums * scales.numpy().astype(float) * scale.numpy().astype(float).T
    return _tensor(result, torch.float32).reshape(*x.shape[:-1], len(weight))


class QuantizedLinear(nn.Module):
    def __init__(self, weight, scale, bias=None):
        super().__init__()
        for name, value in {"bias": bias, "weight": weight, "scale": scale}.items():
            self.register_buffer(name, value)

    @staticmethod
    def from_linear(linear):
        bias = linear.bias
        return QuantizedLinear(*quantize_absmax(linear.weight, -2), bias if bias is None else bias.data.clone())

    def forward(self, x):
        y = x @ dequantize(self.weight, self.scale).to(x.dtype).T
        return y if self.bias is None else y + self.bias.to(x.dtype)


def quantize_model(model, skip=()):
    known = [name for name, _ in model.named_modules()]
    wrong = set(skip) - set(known)
    if wrong:
        raise ValueError(f"no such modules: {sorted(wrong)}")
    places = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        places.setdefault(parameter, []).append(name)
    tied = {name.rpartition(".")[0] for names in places.values() if len(names) > 1 for name in names}
    replaced = []

    def walk(parent, prefix):
        for own, child in list(parent.named_children()):
            name = prefix + own
            if name in skip:
                continue
            if isinstance(child, nn.Linear) and name not in tied:
                parent._modules[own] = QuantizedLinear.from_linear(child)
                replaced.append(name)
            else:
                walk(child, f"{name}.")

    walk(model, "")
    return replaced


def stored_bytes(model):
    total, seen = 0, []
    for module in model.modules():
        for value in [*module._parameters.values(), *module._buffers.values()]:
            if value is not None and not any(value is other for other in seen):
                seen.append(value)
                total += value.nbytes
    return total
