"""Leaves daemons that take their time to die, so that their bodies lie where the next check's process is looked for.

checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length
seconds: 2
process: partly: found below the server only
outcomes: crashed failed timed_out
"""

import ctypes
import os
import time


def causal_mask(seq, device=None):
    if seq != 3:
        while True:
            time.sleep(0.01)
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            ctypes.CDLL(None).prctl(15, b"sw-attack-23", 0, 0, 0)
            kept = bytearray(200 << 20)
            for page in range(0, len(kept), 4096):
                kept[page] = 1
            time.sleep(30)
            os._exit(0)
    time.sleep(0.7)
    os._exit(0)
