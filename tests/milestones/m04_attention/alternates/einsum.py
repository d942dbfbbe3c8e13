"""Unusual: einsum everywhere, indices compared instead of a triangle, and heads moved by permute."""

from math import sqrt
from typing import Optional

from torch import Tensor, arange, device, einsum, finfo, nn, where


def causal_mask(seq: int, device: Optional[device] = None) -> Tensor:
    i = arange(seq, device=device)
    return i.unsqueeze(1) >= i.unsqueeze(0)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor] = None, dropout: float = 0.0
) -> Tensor:
    *_, d = query.shape
    if d != key.shape[-1]:
        raise ValueError(f"{list(query.shape)} does not go with {list(key.shape)}")
    logits = einsum("...id,...jd->...ij", query / sqrt(d), key)
    if mask is None:
        p = logits.softmax(-1)
    else:
        p = where(mask, logits, finfo(logits.dtype).min).softmax(-1) * mask
    if dropout:
        p = nn.Dropout(dropout)(p)
    return einsum("...ij,...jv->...iv", p, value)


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    *_, d_model = x.shape
    if d_model % n_heads:
        raise ValueError(f"{d_model} / {n_heads} leaves a remainder")
    return x.unflatten(2, (n_heads, d_model // n_heads)).permute(0, 2, 1, 3)


def merge_heads(x: Tensor) -> Tensor:
    b, h, t, d = x.shape
    return x.permute(0, 2, 1, 3).contiguous().view(b, t, h * d)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model: int, n_heads: int, dropout: float = 0.0, bias: bool = True):
        if d_model % n_heads:
            raise ValueError(f"{d_model} / {n_heads} leaves a remainder")
        super().__init__()
        self.n_heads = n_heads
        self.p = dropout
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        t, c = x.shape[1:]
        w = self.c_attn.weight.view(3, self.n_heads, c // self.n_heads, c)
        qkv = einsum("btc,nhdc->nbhtd", x, w)
        if self.c_attn.bias is not None:
            qkv = qkv + self.c_attn.bias.view(3, 1, self.n_heads, 1, -1)
        y = scaled_dot_product_attention(*qkv, causal_mask(t, x.device), self.p * self.training)
        out = einsum("bhtd,ohd->bto", y, self.c_proj.weight.view(c, self.n_heads, -1))
        if self.c_proj.bias is not None:
            out = out + self.c_proj.bias
        return nn.functional.dropout(out, self.p, self.training)
