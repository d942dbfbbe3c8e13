"""Ignores every signal that can be ignored, blocks the rest, and loops.

seconds: 1.5
checks: test_the_mask_fits_every_length
outcomes: timed_out
"""

import signal


def causal_mask(*args, **kwargs):
    for number in sorted(signal.valid_signals()):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        pass
