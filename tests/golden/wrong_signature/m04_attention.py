import torch
from torch import nn


def causal_mask():
    return torch.ones(3, 3, dtype=torch.bool).tril()


def scaled_dot_product_attention(query, key, value, mask=None, p=0.0):
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads, d_head):
    return x.unflatten(-1, (n_heads, d_head)).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    def __init__(self, n_heads, d_model, p=0.0):
        super().__init__()
        self.n_heads = n_heads
        self.c_attn = nn.Linear(d_model, 3 * d_model)
        self.c_proj = nn.Linear(d_model, d_model)

    def forward(self, x):
        return self.c_proj(x)
