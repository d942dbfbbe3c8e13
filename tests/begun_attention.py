"""m04 as the tests hand it in: nothing of it done, or the mask and nothing else."""

STUB = """
import torch
from torch import nn


def causal_mask(seq, device=None):
    raise NotImplementedError("m04.1")


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads):
    raise NotImplementedError("m04.3")


def merge_heads(x):
    raise NotImplementedError("m04.3")


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        raise NotImplementedError("m04.4")
"""
MASK = 'def causal_mask(seq, device=None):\n    raise NotImplementedError("m04.1")\n'
MASK_ONLY = STUB.replace(
    MASK,
    "def causal_mask(seq, device=None):\n    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()\n",
)
