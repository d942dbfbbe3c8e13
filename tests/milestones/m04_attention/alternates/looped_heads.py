"""Unusual: loops over sequences, heads and even mask rows, with two-dimensional matrices only."""

import torch
import torch.nn as nn


def causal_mask(seq, device=None):
    mask = torch.zeros((seq, seq), dtype=torch.bool, device=device)
    for i in range(seq):
        mask[i, : i + 1] = True
    return mask


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    if query.size(-1) != key.size(-1):
        raise ValueError("cannot compare queries of shape %s with keys of shape %s" % (query.shape, key.shape))
    if query.dim() == 2:
        return _one(query, key, value, mask, dropout)
    outs = []
    for i in range(query.size(0)):
        m = mask
        if mask is not None and mask.dim() == query.dim():
            m = mask[i if mask.size(0) > 1 else 0]
        outs.append(scaled_dot_product_attention(query[i], key[i], value[i], m, dropout))
    return torch.stack(outs)


def _one(query, key, value, mask, dropout):
    if mask is not None:
        mask = mask.expand(query.size(0), key.size(0))
    rows = []
    for i in range(query.size(0)):
        scores = torch.mv(key, query[i]) * query.size(-1) ** -0.5
        if mask is not None:
            if not mask[i].any():
                rows.append(0.0 * (query[i].sum() + key.sum()) + 0.0 * value.sum(0))
                continue
            scores = torch.where(mask[i], scores, float("-inf"))
        weights = nn.functional.dropout(scores.softmax(0), dropout)
        rows.append(torch.mv(value.T, weights))
    return torch.stack(rows)


def split_heads(x, n_heads):
    if x.size(-1) % n_heads:
        raise ValueError("%d features for %d heads" % (x.size(-1), n_heads))
    width = x.size(-1) // n_heads
    return torch.stack([x[:, :, h * width : (h + 1) * width] for h in range(n_heads)], 1)


def merge_heads(x):
    return torch.cat([x[:, h] for h in range(x.size(1))], 2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError("%d features for %d heads" % (d_model, n_heads))
        self.n_heads, self.width = n_heads, d_model // n_heads
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias)
        self.c_proj = nn.Linear(d_model, d_model, bias)
        self.attn_dropout = nn.Dropout(dropout)
        self.resid_dropout = nn.Dropout(dropout)

    def forward(self, x):
        seq, d_model = x.size()[1:]
        joined = self.c_attn(x)
        outs = []
        for h in range(self.n_heads):
            start = h * self.width
            q, k, v = (joined[:, :, start + o * d_model : start + o * d_model + self.width] for o in range(3))
            scores = torch.bmm(q, k.transpose(1, 2)) / self.width**0.5
            later = torch.ones(seq, seq, dtype=torch.bool, device=x.device).triu(1)
            weights = scores.masked_fill(later, float("-inf")).softmax(-1)
            outs.append(torch.bmm(self.attn_dropout(weights), v))
        return self.resid_dropout(self.c_proj(torch.cat(outs, -1)))
