"""Fills memory that belongs to no process's own pages: memfd files that are written but never mapped.

memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: out_of_memory failed
"""

import os
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")

kept = []


def causal_mask(*args, **kwargs):
    for _ in range(24):  # 1,200 MB, no more, should no limit hold
        descriptor = os.memfd_create("x")
        kept.append(descriptor)
        for _ in range(50):
            os.write(descriptor, b"x" * 2**20)
    time.sleep(0.2)
    size = sum(os.fstat(descriptor).st_blocks * 512 for descriptor in kept)
    print(f"LOOT: {size >> 20} MB where 250 are allowed")
