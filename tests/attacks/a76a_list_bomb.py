"""Fills memory with Python objects, one list item after the other.

memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: out_of_memory
"""

import sys

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def causal_mask(*args, **kwargs):
    kept = []
    for _ in range(1400):  # it stops by itself, should no limit hold
        kept.append(bytearray(b"x" * 2**20))
    return len(kept)
