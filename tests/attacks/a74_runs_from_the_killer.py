"""Runs away from whoever kills it by forking and ending all the time, so that its process id is never the one just listed.

levels: bubblewrap user
seconds: 1.5
checks: test_the_mask_fits_every_length
process: partly: counted every 20 ms
outcomes: failed timed_out
"""

import ctypes
import os
import time

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def causal_mask(*args, **kwargs):
    for _ in range(4):
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, b"sw-attack-74", 0, 0, 0)
            os.setsid()
            end = time.monotonic() + 30  # it ends by itself, should nobody catch it
            while time.monotonic() < end:
                try:
                    if os.fork():
                        os._exit(0)
                except OSError:
                    pass
            os._exit(0)
    time.sleep(0.3)
