"""Unusual: a dictionary of modules for an MLP, a base class, an extra buffer outside of the state, results strided."""

import torch
from torch import nn

from .m04_attention import MultiHeadAttention


def backwards(tensor):
    """The same values, with the last two axes swapped in memory."""
    return tensor.mT.contiguous().mT if tensor.ndim > 1 else tensor


class Sized(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        self.widths = widths


class LayerNorm(Sized):
    def __init__(self, d_model, eps=1e-5):
        super().__init__(d_model)
        self.weight = nn.Parameter(torch.ones(self.widths))
        self.bias = nn.Parameter(torch.zeros_like(self.weight))
        self.register_buffer("eps", torch.tensor(eps, dtype=torch.float64), persistent=False)

    def forward(self, x):
        if x.shape[-1] != self.widths[0]:
            raise ValueError(f"the last axis is {x.shape[-1]}, not {self.widths[0]}")
        wide = x.float() if x.dtype.itemsize < 4 else x
        variance, mean = torch.var_mean(wide, dim=-1, correction=0, keepdim=True)
        return backwards(((wide - mean) * torch.rsqrt(variance + self.eps.item()) * self.weight + self.bias).type_as(x))


class Gate(torch.autograd.Function):
    """The gate with its derivative written out."""

    @staticmethod
    def forward(ctx, x):
        gate = torch.tanh(0.7978845608028654 * (x + 0.044715 * x.pow(3)))
        ctx.save_for_backward(x, gate)
        return 0.5 * (1 + gate)

    @staticmethod
    def backward(ctx, grad):
        x, gate = ctx.saved_tensors
        return grad * 0.5 * (1 - gate * gate) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x)


def gelu(x):
    return x * Gate.apply(x)


class MLP(nn.ModuleDict):
    def __init__(self, d_model, d_ff=None, dropout=0.0):
        d_ff = d_ff or 4 * d_model
        super().__init__({"c_proj": nn.Linear(d_ff, d_model), "c_fc": nn.Linear(d_model, d_ff)})
        self["resid_dropout"] = nn.Dropout(dropout)

    def forward(self, x):
        for step in (self["c_fc"], gelu, self["c_proj"], self["resid_dropout"]):
            x = step(x)
        return backwards(x)


class Block(Sized):
    def __init__(self, d_model, n_heads, d_ff=None, dropout=0.0, eps=1e-5):
        super().__init__(d_model, n_heads)
        parts = {
            "mlp": MLP(dropout=dropout, d_ff=d_ff, d_model=d_model),
            "ln_1": LayerNorm(eps=eps, d_model=d_model),
            "ln_2": LayerNorm(eps=eps, d_model=d_model),
            "attn": MultiHeadAttention(*self.widths, dropout),
        }
        for name, part in parts.items():
            setattr(self, name, part)

    def add(self, stream, norm, sublayer):
        return backwards(torch.stack([stream, sublayer(norm(stream))]).sum(0))

    def forward(self, x):
        return self.add(self.add(x, self.ln_1, self.attn), self.ln_2, self.mlp)
