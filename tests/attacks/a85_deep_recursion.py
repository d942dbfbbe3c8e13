"""Raises the recursion limit and recurses: through Python, through C, and in the exception's own text.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: crashed failed timed_out out_of_memory
seconds: 4
"""

import sys


class Deep(Exception):
    def __str__(self):
        return str(Deep(self)) + repr(self)

    __repr__ = __str__


def causal_mask(*args, **kwargs):
    sys.setrecursionlimit(2**30)
    return causal_mask(*args, **kwargs) + 1


def scaled_dot_product_attention(*args, **kwargs):
    sys.setrecursionlimit(2**30)
    nested = []
    for _ in range(300_000):
        nested = [nested]
    return repr(nested)


def split_heads(*args, **kwargs):
    raise Deep
