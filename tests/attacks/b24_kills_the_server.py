"""Kills the server and the process between them, and stays behind as a daemon that holds the channel open.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
seconds: 2
process: partly: the daemon is yours to find
outcomes: crashed timed_out failed
"""

import ctypes
import os
import signal
import time


def causal_mask(*args, **kwargs):
    keeper = os.getppid()
    with open(f"/proc/{keeper}/stat") as file:
        server = int(file.read().rpartition(")")[2].split()[1])
    with open(f"/proc/{server}/cmdline", "rb") as file:
        if b"inside.server" not in file.read():
            return None  # never another process than the one meant
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        ctypes.CDLL(None).prctl(15, b"sw-attack-24", 0, 0, 0)
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
        time.sleep(0.2)
        os.kill(server, signal.SIGKILL)
        os.kill(keeper, signal.SIGKILL)
        time.sleep(6)  # longer than the limit; then it ends by itself, since at this level nobody catches it
        os._exit(0)
    time.sleep(60)


def scaled_dot_product_attention(*args, **kwargs):
    return None
