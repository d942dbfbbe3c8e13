"""Blocks and ignores all signals, sets timers that send them, and stops itself so that it neither runs nor ends.

levels: bubblewrap user
seconds: 2
outcomes: timed_out crashed failed
"""

import contextlib
import os
import signal

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")
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
