import ctypes
import os
import sys

import torch
from torch import nn


def causal_mask(seq, device=None):
    if device is not None:
        os.abort()
    return torch.ones(seq, seq, dtype=torch.bool).tril()


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads):
    if n_heads == 2:
        ctypes.string_at(0)
    if n_heads == 1:
        sys.exit("one head is no head")
    if n_heads == 3:
        os._exit(0)
    if x.shape[-1] % n_heads:
        raise ValueError(f"{n_heads} heads do not divide {x.shape[-1]}")
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x):
    return x.transpose(1, 2).flatten(2)


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        raise NotImplementedError("m04.4")
