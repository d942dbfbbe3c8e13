import sys

import torch
from torch import nn

print("hello from m04")


def causal_mask(seq, device=None):
    mask = torch.ones(seq, seq, dtype=torch.bool, device=device).tril()
    print("mask", tuple(mask.shape))
    print("written to standard error", file=sys.stderr)
    return mask


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads):
    for step in range(100_000):
        print("split_heads", step, "of", n_heads, "and everything is fine so far, dear grader")
    if x.shape[-1] % n_heads:
        raise ValueError(f"{n_heads} heads do not divide {x.shape[-1]}")
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        raise NotImplementedError("m04.4")
