"""Raises and prints halves of characters, which neither a file in UTF-8 nor a database can hold.

outcomes: failed
"""

import sys


class Half(Exception):
    pass


Half.__name__ = "Half\ud800"


def causal_mask(seq, device=None):
    sys.stdout.reconfigure(errors="surrogatepass")
    print("half of a pair: \udc80")
    raise Half("the other half: \ud800")


scaled_dot_product_attention = causal_mask
