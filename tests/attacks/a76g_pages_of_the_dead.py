"""Fills memory through children that touch pages of a shared mapping and die, while the parent never looks at them.

memory_mb: 250
seconds: 8
checks: test_the_mask_fits_every_length
outcomes: out_of_memory failed
"""

import mmap
import os
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")

STEP = 50 << 20


def causal_mask(*args, **kwargs):
    area = mmap.mmap(-1, 24 * STEP)  # 1,200 MB, no more, should no limit hold
    for number in range(24):
        child = os.fork()
        if child == 0:
            for page in range(number * STEP, (number + 1) * STEP, 4096):
                area[page] = 1
            os._exit(0)
        os.waitpid(child, 0)
    time.sleep(0.2)
    print("LOOT: 1,200 MB where 250 are allowed")
