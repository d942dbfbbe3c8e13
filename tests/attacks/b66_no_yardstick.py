"""Gives an answer of no use as a yardstick, not a number or next to nothing, where a check compares two answers.

checks: test_the_order_of_the_keys_does_not_matter
outcomes: failed
"""

import torch

calls = []


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    calls.append(1)
    return torch.full((*query.shape[:-1], value.shape[-1]), float("nan") if len(calls) == 1 else 1e-30)
