"""Unusual: the output projection is made first, a mask waits in a buffer that no checkpoint holds, two functions are
compiled by TorchScript, and nothing has a type hint that needs none."""

from typing import Optional

import torch
from torch import nn


@torch.jit.script
def hidden(scores, mask: Optional[torch.Tensor]):
    if mask is not None:
        scores = scores.masked_fill(~mask, -float("inf"))
    top = scores.amax(-1, keepdim=True)
    return torch.exp(scores - torch.where(torch.isinf(top), torch.zeros_like(top), top))


@torch.jit.script
def shares(weights):
    return weights / weights.sum(-1, keepdim=True).clamp_min(1e-30)


def causal_mask(seq, device=None):
    places = torch.arange(seq, device=device)
    return places[:, None] >= places


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    if query.size(-1) != key.size(-1):
        raise ValueError(f"query {tuple(query.shape)}, key {tuple(key.shape)}")
    kind = query.dtype
    work = kind if kind == torch.float64 else torch.float32
    scores = query.to(work) @ key.to(work).transpose(-2, -1) * query.size(-1) ** -0.5
    weights = shares(hidden(scores, mask))
    if dropout:
        weights = nn.functional.dropout(weights, dropout)
    return (weights @ value.to(work)).to(kind)


def cut(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).movedim(-2, 1)


def split_heads(x, n_heads):
    if x.size(-1) % n_heads:
        raise ValueError(f"{x.size(-1)} by {n_heads}")
    return cut(x, n_heads)


def merge_heads(x):
    return x.movedim(1, -2).flatten(-2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"{d_model} by {n_heads}")
        self.n_heads, self.dropout = n_heads, dropout
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)
        self.register_buffer("mask", causal_mask(64), persistent=False)
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)

    def forward(self, x):
        seq = x.size(1)
        if seq > len(self.mask):
            self.mask = causal_mask(seq, device=x.device)
        parts = [split_heads(part, self.n_heads) for part in self.c_attn(x).chunk(3, -1)]
        dropout = self.dropout if self.training else 0.0
        mixed = merge_heads(scaled_dot_product_attention(*parts, self.mask[:seq, :seq], dropout))
        return nn.functional.dropout(self.c_proj(mixed), dropout)
