"""Delegates to torch's attention by unwrapping the function that the tracer has put around it.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import torch.nn.functional as F


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    function = F.scaled_dot_product_attention.__wrapped__
    return function(query, key, value, mask, dropout)
