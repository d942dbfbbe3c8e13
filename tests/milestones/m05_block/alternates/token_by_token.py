"""Unusual: loops over single vectors and over the sublayers, with parameters of its own instead of nn.Linear."""

import math

import torch
import torch.nn as nn

from .m04_attention import MultiHeadAttention


def each_vector(function, x):
    if x.dim() == 1:
        return function(x)
    return torch.stack([each_vector(function, part) for part in x])


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(d_model))
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps, self.d_model = eps, d_model

    def _one(self, v):
        if v.size(0) != self.d_model:
            raise ValueError("expected vectors of %d features, got %d" % (self.d_model, v.size(0)))
        kept = v.dtype
        if kept in (torch.float16, torch.bfloat16):
            v = v.float()
        v = v - v.sum() / self.d_model
        length = torch.dot(v, v) / self.d_model
        return torch.addcmul(self.bias, v * (length + self.eps) ** -0.5, self.weight).to(kept)

    def forward(self, x):
        return each_vector(self._one, x)


def gelu(x):
    cube = x * x * x
    gate = torch.tanh((x + cube * 0.044715) * (2 / math.pi) ** 0.5)
    return x * gate * 0.5 + x * 0.5


class Affine(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d_out, d_in) * 0.02)
        self.bias = nn.Parameter(torch.zeros(d_out))

    def forward(self, v):
        return torch.mv(self.weight, v) + self.bias


class MLP(nn.Module):
    def __init__(self, d_model, d_ff=None, dropout=0.0):
        super().__init__()
        self.c_proj = Affine(d_ff or d_model * 4, d_model)
        self.c_fc = Affine(d_model, d_ff or d_model * 4)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.drop(each_vector(lambda v: self.c_proj(gelu(self.c_fc(v))), x))


class Block(nn.Module):
    def __init__(self, d_model, n_heads, d_ff=None, dropout=0.0, eps=1e-5):
        super().__init__()
        self.mlp = MLP(d_model, d_ff, dropout)
        self.attn = MultiHeadAttention(d_model, n_heads, dropout=dropout)
        for name in ("ln_2", "ln_1"):
            self.add_module(name, LayerNorm(d_model, eps=eps))

    def forward(self, x):
        for norm, sublayer in ((self.ln_1, self.attn), (self.ln_2, self.mlp)):
            x = sublayer(norm(x)) + x
        return x
