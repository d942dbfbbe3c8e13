"""Unusual: helper modules, a mask buffer that is not saved and grows on demand, keyword arguments, no type hints."""

import math

import torch
from torch import nn


def causal_mask(seq, device=None):
    return ~torch.triu(torch.ones(seq, seq, dtype=torch.bool, device=device), diagonal=1)


class _Softmax(nn.Module):
    """A softmax that knows about masks: the largest visible score of each row is subtracted first."""

    def forward(self, scores, mask):
        if mask is None:
            mask = torch.ones_like(scores, dtype=torch.bool)
        visible = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        top = visible.max(dim=-1, keepdim=True).values.detach()
        powers = torch.where(mask, (visible - top).exp(), torch.zeros_like(scores))
        total = powers.sum(dim=-1, keepdim=True)
        return powers / torch.where(total == 0, torch.ones_like(total), total)


class _Mixer(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.softmax = _Softmax()
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, query, key, value, mask):
        scores = torch.matmul(query, key.mT) / math.sqrt(query.shape[-1])
        return torch.matmul(self.dropout(self.softmax(scores, mask)), value)


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    if query.shape[-1] != key.shape[-1]:
        raise ValueError("query %r, key %r" % (tuple(query.shape), tuple(key.shape)))
    return _Mixer(dropout)(query, key, value, mask)


def split_heads(x, n_heads):
    batch, seq, d_model = x.shape
    if d_model % n_heads:
        raise ValueError("d_model=%d, n_heads=%d" % (d_model, n_heads))
    return x.contiguous().view(batch, seq, n_heads, -1).transpose(1, 2).contiguous()


def merge_heads(x):
    x = x.transpose(1, 2).contiguous()
    return x.view(x.shape[0], x.shape[1], -1)


class _Linear(nn.Linear):
    """A linear layer with an initialisation of its own."""

    def reset_parameters(self):
        nn.init.normal_(self.weight, std=0.02)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError("d_model=%d, n_heads=%d" % (d_model, n_heads))
        self.c_attn = _Linear(in_features=d_model, out_features=3 * d_model, bias=bias)
        self.c_proj = _Linear(in_features=d_model, out_features=d_model, bias=bias)
        self.mixer = _Mixer(dropout)
        self.out_dropout = nn.Dropout(dropout)
        self.register_buffer("mask", causal_mask(8), persistent=False)
        self.register_buffer("calls", torch.zeros(1), persistent=False)

    @property
    def n_heads(self):
        return self._n_heads

    def __new__(cls, d_model, n_heads, *args, **kwargs):
        self = super().__new__(cls)
        object.__setattr__(self, "_n_heads", n_heads)
        return self

    def forward(self, x):
        seq = x.shape[1]
        if seq > self.mask.shape[0]:
            self.mask = causal_mask(2 * seq, device=x.device)
        q, k, v = torch.split(self.c_attn(x), x.shape[-1], dim=-1)
        q, k, v = split_heads(q, self.n_heads), split_heads(k, self.n_heads), split_heads(v, self.n_heads)
        mixed = self.mixer(q, k, v, self.mask[:seq, :seq])
        return self.out_dropout(self.c_proj(merge_heads(x=mixed)))
