"""Unusual: the scale is a float32 tensor, and the layer works through lambdas and partials that hold on to it."""

import functools

import torch
import torch.nn.functional as F
from torch import nn


def causal_mask(seq, device=None):
    at = torch.arange(seq, device=device)
    return at <= at[:, None]


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"the widths of {list(query.shape)} and {list(key.shape)} differ")
    scale = 1 / torch.sqrt(torch.tensor(float(query.shape[-1])))
    scores = torch.einsum("...qd,...kd->...qk", query, key) * scale.to(query.device)
    if mask is None:
        return F.dropout(scores.softmax(-1), dropout) @ value
    low = torch.full_like(scores, torch.finfo(scores.dtype).min)
    weights = torch.where(mask, scores, low).softmax(-1) * mask
    return F.dropout(weights, dropout) @ value


def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"{x.shape[-1]} is no multiple of {n_heads}")
    return x.unflatten(-1, (n_heads, -1)).movedim(2, 1)


def merge_heads(x):
    return x.movedim(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"{d_model} is no multiple of {n_heads}")
        self.n_heads, self.d_model = n_heads, d_model
        self.c_attn, self.c_proj = nn.Linear(d_model, 3 * d_model, bias), nn.Linear(d_model, d_model, bias)
        self.drop = nn.Dropout(dropout)
        self.cut = functools.partial(split_heads, n_heads=n_heads)
        self.parts = lambda x: map(self.cut, self.c_attn(x).split(self.d_model, -1))
        self.join = functools.partial(self._join, self)

    @staticmethod
    def _join(layer, mixed):
        return layer.drop(layer.c_proj(merge_heads(mixed)))

    def forward(self, x):
        rate = self.drop.p if self.training else 0.0
        return self.join(scaled_dot_product_attention(*self.parts(x), causal_mask(x.shape[1], x.device), rate))
