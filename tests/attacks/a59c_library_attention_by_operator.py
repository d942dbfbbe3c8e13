"""Delegates to torch's attention through torch.ops, where the operators lie below the functions.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import torch


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    return torch.ops.aten.scaled_dot_product_attention(query, key, value, mask, dropout)
