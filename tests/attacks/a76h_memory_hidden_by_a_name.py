"""Hides its memory by giving the process a name that reads like a line of its own status file.

memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: out_of_memory
"""

import ctypes
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def causal_mask(*args, **kwargs):
    ctypes.CDLL(None).prctl(15, b"RssAnon: 0 kB", 0, 0, 0)
    kept = [bytearray(b"x" * 2**20) for _ in range(450)]  # below what the system itself refuses
    time.sleep(0.3)
    return len(kept)
