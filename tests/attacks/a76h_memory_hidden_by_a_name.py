"""Hides its memory by giving the process a name that reads like a line of its own status file.

levels: bubblewrap user
memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: out_of_memory
"""

import ctypes
import os
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def causal_mask(*args, **kwargs):
    ctypes.CDLL(None).prctl(15, b"RssAnon: 0 kB", 0, 0, 0)
    kept = [bytearray(b"x" * 2**20) for _ in range(450)]  # below what the system itself refuses
    time.sleep(0.3)
    return len(kept)
