"""Brings sitecustomize.py, usercustomize.py and a .pth file, which an interpreter runs before anything else.

outcomes: failed
"""


def causal_mask(*args, **kwargs):
    return None


scaled_dot_product_attention = causal_mask
