"""Unusual: GELU has a float32 tensor for a constant; modules keep lambdas, methods and partials over themselves."""

import functools
import math

import torch
from torch import nn

from .m04_attention import MultiHeadAttention

ROOT = torch.sqrt(torch.tensor(2.0 / math.pi))


class LayerNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))
        self.d_model, self.eps = d_model, torch.tensor(eps)
        self.finish = functools.partial(self._scaled, self)

    @staticmethod
    def _scaled(self, x):
        return x * self.weight + self.bias

    def forward(self, x):
        if x.shape[-1] != self.d_model:
            raise ValueError(f"{x.shape[-1]} features, expected {self.d_model}")
        wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        centred = wide - wide.mean(-1, keepdim=True)
        return self.finish(centred / (centred.pow(2).mean(-1, keepdim=True) + self.eps.item()).sqrt()).to(x.dtype)


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(ROOT.to(x.device) * (x + 0.044715 * torch.pow(x, 3))))


class MLP(nn.Module):
    def __init__(self, d_model, d_ff=None, dropout=0.0):
        super().__init__()
        self.c_fc = nn.Linear(d_model, d_ff or 4 * d_model)
        self.c_proj = nn.Linear(d_ff or 4 * d_model, d_model)
        self.drop = nn.Dropout(dropout)
        self.narrow = functools.partial(nn.functional.linear, weight=self.c_proj.weight, bias=self.c_proj.bias)
        self.run = lambda x: self.drop(self.narrow(gelu(self.c_fc(x))))

    def forward(self, x):
        return self.run(x)


class Block(nn.Module):
    def __init__(self, d_model, n_heads, d_ff=None, dropout=0.0, eps=1e-5):
        super().__init__()
        self.ln_1, self.ln_2 = LayerNorm(d_model, eps), LayerNorm(d_model, eps)
        self.attn, self.mlp = MultiHeadAttention(d_model, n_heads, dropout), MLP(d_model, d_ff, dropout)
        self.sublayers = [self._attend, lambda x: x + self.mlp(self.ln_2(x))]

    def _attend(self, x):
        return x + self.attn(self.ln_1(x))

    def forward(self, x):
        for sublayer in self.sublayers:
            x = sublayer(x)
        return x
