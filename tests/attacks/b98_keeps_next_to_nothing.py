"""Drops all but the smallest weights, for no tolerance to tell right from wrong any more, as if the grader were at fault.

checks: test_dropout_falls_on_the_weights_and_rescales_the_rest
outcomes: failed
"""

import torch


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    weights = torch.exp(query @ key.mT / query.shape[-1] ** 0.5)
    weights = weights / weights.sum(-1, keepdim=True)
    weights = torch.where(weights == weights.min(), weights, 0.0)
    return torch.cat([weights, weights.sum(-1, keepdim=True)], dim=-1)
