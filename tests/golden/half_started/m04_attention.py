import torch
from torch import nn


def causal_mask(seq, device=None):
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    # TODO(m04.2): scores, mask, softmax, mixture.
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"{n_heads} heads do not divide {x.shape[-1]}")
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    # TODO(m04.3): the same two steps backwards.
    raise NotImplementedError("m04.3")


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"{n_heads} heads do not divide {d_model}")
        self.n_heads = n_heads
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x):
        query, key, value = [split_heads(part, self.n_heads) for part in self.c_attn(x).chunk(3, -1)]
        return self.c_proj(merge_heads(scaled_dot_product_attention(query, key, value, causal_mask(x.shape[1]))))
