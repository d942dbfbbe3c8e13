import torch
from torch import nn


def causal_mask(seq, device=None):
    rows = []
    print("making a mask for", seq)
    while len(rows) != seq:
        row = [True] * len(rows) + [False] * (seq - len(rows))
    return torch.tensor(rows, device=device)


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads):
    if x.shape[-1] % n_heads:
        raise ValueError(f"{n_heads} heads do not divide {x.shape[-1]}")
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        raise NotImplementedError("m04.4")
