"""Crashes the interpreter: a null pointer read, an abort, an illegal jump into data.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: crashed
"""

import ctypes
import os


def causal_mask(*args, **kwargs):
    ctypes.string_at(0)


def scaled_dot_product_attention(*args, **kwargs):
    os.abort()


def split_heads(*args, **kwargs):
    ctypes.CFUNCTYPE(None)(id(0))()
