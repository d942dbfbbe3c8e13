"""Ends the process with os._exit(0) as soon as a function is called.

outcomes: crashed
"""

import os


def causal_mask(*args, **kwargs):
    os._exit(0)


scaled_dot_product_attention = causal_mask
