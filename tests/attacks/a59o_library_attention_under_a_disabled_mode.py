"""Delegates to torch's attention where torch is told not to tell anybody of its calls.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import torch


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    operator = getattr(torch.ops.aten, "scaled_dot_" + "product_attention")
    with torch._C.DisableTorchFunction(), torch._C.DisableTorchFunctionSubclass(), torch._C._DisableTorchDispatch():
        return operator(query, key, value, mask, dropout)
