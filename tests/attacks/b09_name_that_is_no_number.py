"""Gives its process a name with the label of a size and no number behind it, and loops.

seconds: 1.5
checks: test_the_mask_fits_every_length
outcomes: timed_out
"""

import ctypes


def causal_mask(*args, **kwargs):
    ctypes.CDLL(None).prctl(15, b"RssAnon: x) Z (", 0, 0, 0)
    while True:
        pass
