"""Ends only its main thread, so that the process looks dead to whoever reads its state, while another thread goes on.

seconds: 1.5
checks: test_the_mask_fits_every_length
outcomes: timed_out
"""

import ctypes
import os
import threading
import time


def live_on():
    end = time.monotonic() + 40  # it ends by itself, should nobody catch it
    while time.monotonic() < end:
        time.sleep(0.01)
    os._exit(0)


def causal_mask(*args, **kwargs):
    ctypes.CDLL(None).prctl(15, b"sw-attack-b28", 0, 0, 0)
    threading.Thread(target=live_on).start()
    ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[os.uname().machine], 0)  # exit, of this thread alone
