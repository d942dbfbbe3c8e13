"""Sends torch's attention straight to the processor's kernels, past every other key of the dispatcher.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import torch


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    operator = getattr(torch.ops.aten, "scaled_dot_" + "product_attention").default
    with torch.no_grad(), torch._C._AutoDispatchBelowAutograd():
        return operator.redispatch(torch._C.DispatchKeySet(torch.DispatchKey.CPU), query, key, value, mask, dropout)
