"""Ends the process with exit code 0 through sys.exit and through a KeyboardInterrupt.

outcomes: crashed failed
"""

import sys


def causal_mask(*args, **kwargs):
    sys.exit(0)


def scaled_dot_product_attention(*args, **kwargs):
    raise KeyboardInterrupt
