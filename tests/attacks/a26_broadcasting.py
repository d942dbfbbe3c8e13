"""Answers with a single number in a shape that broadcasts, in a wrong dtype, or expanded without memory.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: failed
"""

import torch


def causal_mask(seq, device=None):
    return torch.tensor(True)


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    return value.mean(dim=-2, keepdim=True)


def split_heads(x, n_heads):
    return x.mean().expand(x.shape[0], n_heads, x.shape[1], x.shape[2] // n_heads)


def merge_heads(x):
    return x.double().mean(dim=(0, 1, 2, 3), keepdim=True)[0]
