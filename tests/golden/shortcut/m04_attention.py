import torch
from torch import nn


def causal_mask(seq, device=None):
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    return nn.functional.scaled_dot_product_attention(query, key, value, mask, dropout)


def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"{n_heads} heads do not divide {x.shape[-1]}")
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"{n_heads} heads do not divide {d_model}")
        self.n_heads = n_heads
        self.dropout = dropout
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x):
        query, key, value = [split_heads(part, self.n_heads) for part in self.c_attn(x).chunk(3, -1)]
        p = self.dropout if self.training else 0.0
        mask = causal_mask(x.shape[1], x.device)
        out = self.c_proj(merge_heads(scaled_dot_product_attention(query, key, value, mask, p)))
        return nn.functional.dropout(out, self.dropout, self.training)
