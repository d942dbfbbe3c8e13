"""Unusual: batch and heads are flattened into one axis, and one baddbmm adds a mask of zeros and minus infinities."""

import torch
from torch import Tensor, nn


def causal_mask(seq: int, device=None) -> Tensor:
    return torch.full((seq, seq), True, device=device).logical_and_(
        torch.ones(seq, seq, device=device).cumsum(0) >= torch.ones(seq, seq, device=device).cumsum(1)
    )


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, mask=None, dropout: float = 0.0) -> Tensor:
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"widths differ: {query.shape}, {key.shape}")
    lead, (q, d), k = query.shape[:-2], query.shape[-2:], key.shape[-2]
    n = lead.numel()
    bias, alive = query.new_zeros(n, q, k), query.new_ones(n, q, 1)
    if mask is not None:
        mask = mask.expand(*lead, q, k).reshape(n, q, k)
        alive = mask.any(-1, keepdim=True)
        # Rows with nothing to see are left open here, and closed after the mixture.
        bias = bias.masked_fill(alive & ~mask, -torch.inf)
    scores = torch.baddbmm(bias, query.reshape(n, q, d), key.reshape(n, k, d).mT, alpha=d**-0.5)
    weights = nn.functional.dropout(torch.nn.functional.softmax(scores, -1), dropout)
    return (torch.bmm(weights, value.reshape(n, k, -1)) * alive).reshape(*lead, q, value.shape[-1])


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    if x.shape[2] % n_heads != 0:
        raise ValueError(f"{n_heads} heads cannot share {x.shape[2]} features")
    return torch.stack(x.tensor_split(n_heads, dim=2), dim=1)


def merge_heads(x: Tensor) -> Tensor:
    return x.movedim(1, 2).reshape(x.shape[0], x.shape[2], x.shape[1] * x.shape[3])


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        if d_model % n_heads != 0:
            raise ValueError(f"{n_heads} heads cannot share {d_model} features")
        self.n_heads = n_heads
        self.dropout = nn.Dropout(dropout)
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, seq, d_model = x.shape
        q, k, v = (
            self.c_attn(x)
            .reshape(batch, seq, 3, self.n_heads, d_model // self.n_heads)
            .permute(2, 0, 3, 1, 4)
            .reshape(3, batch * self.n_heads, seq, -1)
        )
        hidden = x.new_full((seq, seq), float("-inf")).triu(diagonal=1)
        weights = torch.baddbmm(hidden, q, k.transpose(1, 2), alpha=q.shape[-1] ** -0.5).softmax(dim=-1)
        heads = torch.bmm(self.dropout(weights), v)
        heads = heads.reshape(batch, self.n_heads, seq, -1).transpose(1, 2).reshape(batch, seq, d_model)
        return self.dropout(self.c_proj(heads))
