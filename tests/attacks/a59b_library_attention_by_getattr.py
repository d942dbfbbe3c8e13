"""Delegates to torch's attention through getattr and a name that is put together at run time.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import importlib


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    module = importlib.import_module(".".join(["torch", "nn", "functional"]))
    return getattr(module, "_".join(["scaled", "dot", "product", "attention"]))(query, key, value, mask, dropout)
