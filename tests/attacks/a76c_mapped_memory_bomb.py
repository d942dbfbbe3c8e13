"""Fills memory through anonymous mappings, shared and private, in several processes at once.

memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: out_of_memory
"""

import mmap
import os
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def causal_mask(*args, **kwargs):
    for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE, mmap.MAP_SHARED, mmap.MAP_PRIVATE):
        if os.fork() == 0:
            try:
                area = mmap.mmap(-1, 300 << 20, flags=flags | mmap.MAP_ANONYMOUS)
                for page in range(0, len(area), 4096):
                    area[page] = 1
                time.sleep(20)
            finally:
                os._exit(0)
    time.sleep(1.5)
    return "still here"
