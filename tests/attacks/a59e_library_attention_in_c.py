"""Delegates to torch's attention through the C function that torch.nn.functional itself calls.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

from torch._C import _nn


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    return _nn.scaled_dot_product_attention(query, key, value, mask, dropout)
