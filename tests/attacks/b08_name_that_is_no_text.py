"""Gives its process a name that is no UTF-8, for whoever reads its status file as text, and loops.

seconds: 1.5
checks: test_the_mask_fits_every_length
outcomes: timed_out
"""

import ctypes


def causal_mask(*args, **kwargs):
    ctypes.CDLL(None).prctl(15, b"\xff\xfe\x80", 0, 0, 0)
    while True:
        pass
