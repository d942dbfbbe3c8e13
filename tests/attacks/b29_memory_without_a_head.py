"""Fills memory in a process whose main thread has ended, and whose state therefore shows no memory at all.

levels: bubblewrap user
memory_mb: 250
seconds: 6
checks: test_the_mask_fits_every_length
outcomes: out_of_memory
"""

import ctypes
import os
import threading
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def fill():
    time.sleep(0.2)
    kept = [bytearray(b"x" * 2**20) for _ in range(450)]  # below what the system itself refuses
    time.sleep(0.5)
    os._exit(len(kept) % 7)


def causal_mask(*args, **kwargs):
    threading.Thread(target=fill).start()
    ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit, of this thread alone
