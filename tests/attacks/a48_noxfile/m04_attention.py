"""Brings a noxfile.py, a Makefile, a setup.py, a requirements.txt and git hooks, which other tools would run.

outcomes: failed
"""


def causal_mask(*args, **kwargs):
    return None


scaled_dot_product_attention = causal_mask
