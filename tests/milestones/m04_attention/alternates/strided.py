"""Unusual: results lie transposed in memory, keys come first in the products, and a subclassed dict holds the parts."""

import torch
from torch import nn


class Parts(dict):
    """Named tensors, read as attributes."""

    __getattr__ = dict.__getitem__


def backwards(tensor):
    """The same values, with the last two axes swapped in memory."""
    return tensor.mT.contiguous().mT


def causal_mask(seq, device=None):
    return backwards(torch.ones(seq, seq, dtype=torch.uint8, device=device).tril() > 0)


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"{query.shape} against {key.shape}")
    scores = (key / query.shape[-1] ** 0.5) @ query.mT  # (..., k, q): a column for each query
    if mask is not None:
        lowest = torch.finfo(scores.dtype).min
        scores = scores.masked_fill(mask.mT.logical_not(), lowest)
    weights = torch.softmax(scores, dim=-2)
    if mask is not None:
        weights = weights.masked_fill(mask.mT.logical_not(), 0)
    keep = torch.rand(weights.shape, device=weights.device) >= dropout
    return (value.mT @ (weights * keep / (1 - dropout))).mT


def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"{x.shape[-1]} features, {n_heads} heads")
    return backwards(x.reshape(*x.shape[:2], n_heads, -1).transpose(1, 2))


def merge_heads(x):
    return backwards(x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1))


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"{d_model} features, {n_heads} heads")
        self.n_heads, self.dropout = n_heads, dropout
        for name, width in Parts(c_proj=d_model, c_attn=3 * d_model).items():
            setattr(self, name, nn.Linear(d_model, width, bias=bias))

    def forward(self, x):
        dropout = self.dropout if self.training else 0.0
        parts = Parts(zip("qkv", torch.tensor_split(self.c_attn(x), 3, dim=2), strict=True))
        parts = Parts({name: split_heads(part, self.n_heads) for name, part in parts.items()})
        mixed = scaled_dot_product_attention(parts.q, parts.k, parts.v, causal_mask(x.shape[1], x.device), dropout)
        out = self.c_proj(merge_heads(mixed))
        return backwards(nn.functional.dropout(out, dropout) if self.training else out)
