"""Brings a pytest plugin beside an entry point that names it, as an installed package would.

outcomes: failed
"""


def causal_mask(*args, **kwargs):
    return None


scaled_dot_product_attention = causal_mask
