"""Delegates to F.scaled_dot_product_attention under its own name.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import torch.nn.functional as F


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    return F.scaled_dot_product_attention(query, key, value, mask, dropout)
