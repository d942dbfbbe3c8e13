"""Fills memory with Python objects, one list item after the other.

levels: bubblewrap user
memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: out_of_memory
"""

import os

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def causal_mask(*args, **kwargs):
    kept = []
    for _ in range(1400):  # it stops by itself, should no limit hold
        kept.append(bytearray(b"x" * 2**20))
    return len(kept)
