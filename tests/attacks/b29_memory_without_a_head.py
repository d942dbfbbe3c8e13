"""Fills memory in a process whose main thread has ended, and whose state therefore shows no memory at all.

memory_mb: 250
seconds: 6
checks: test_the_mask_fits_every_length
outcomes: out_of_memory
"""

import ctypes
import os
import sys
import threading
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def fill():
    time.sleep(0.2)
    kept = [bytearray(b"x" * 2**20) for _ in range(450)]  # below what the system itself refuses
    time.sleep(0.5)
    os._exit(len(kept) % 7)


def causal_mask(*args, **kwargs):
    threading.Thread(target=fill).start()
    ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit, of this thread alone
