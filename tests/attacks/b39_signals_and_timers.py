"""Blocks and ignores all signals, sets timers that send them, and stops itself so that it neither runs nor ends.

seconds: 2
outcomes: timed_out crashed failed
"""

import contextlib
import os
import signal
import sys

import torch

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")
for number in signal.valid_signals():
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)


def causal_mask(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        signal.pause()


scaled_dot_product_attention = causal_mask
