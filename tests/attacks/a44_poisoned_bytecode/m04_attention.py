"""Brings bytecode in __pycache__ that does not belong to its source, and other modules that nobody asked for.

outcomes: failed
"""


def causal_mask(*args, **kwargs):
    return None


scaled_dot_product_attention = causal_mask
