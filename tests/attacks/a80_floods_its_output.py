"""Prints as fast as it can, without a line end and with bytes that are no text.

output_kb: 256
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
outcomes: failed
"""

import os
import sys


def causal_mask(*args, **kwargs):
    while True:
        os.write(1, b"\xff\x00\x1b[31mx" * 8192)


def scaled_dot_product_attention(*args, **kwargs):
    while True:
        print("15 of 15 points", end="\r")
        sys.stderr.write("::error::\x1b]0;x")
