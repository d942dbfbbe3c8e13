"""Unusual: everything is computed in float64 and turned back at the end, whatever came in."""

import numpy as np
import torch
from torch import Tensor, nn


def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    return torch.from_numpy(np.tri(seq, dtype=bool)).to(device)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"query: {query.shape}; key: {key.shape}")
    q, k, v = query.to(torch.float64), key.to(torch.float64), value.to(torch.float64)
    scores = torch.tensordot(q, k, dims=([-1], [-1])) if q.ndim == 2 else q.matmul(k.swapaxes(-1, -2))
    scores = scores.div(np.sqrt(q.shape[-1]))
    if mask is not None:
        scores = scores - 1e30 * mask.logical_not()
    log_weights = scores - scores.logsumexp(dim=-1, keepdim=True)
    weights = log_weights.exp()
    if mask is not None:
        weights = weights * mask
    return torch.dropout(weights, dropout, True).matmul(v).to(query.dtype)


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    if divmod(x.shape[-1], n_heads)[1]:
        raise ValueError(f"{x.shape[-1]} % {n_heads} != 0")
    return x.unfold(2, x.shape[-1] // n_heads, x.shape[-1] // n_heads).swapaxes(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    return torch.concatenate(tuple(x.unbind(1)), dim=-1)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        if divmod(d_model, n_heads)[1]:
            raise ValueError(f"{d_model} % {n_heads} != 0")
        self.n_heads = n_heads
        self.rate = dropout
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        rate = self.rate if self.training else 0.0
        parts = self.c_attn(x).to(torch.float64).chunk(3, -1)
        q, k, v = (split_heads(part, self.n_heads) for part in parts)
        mixed = scaled_dot_product_attention(q, k, v, causal_mask(x.shape[1], x.device), rate)
        return torch.dropout(self.c_proj(merge_heads(mixed).to(x.dtype)), rate, True)
