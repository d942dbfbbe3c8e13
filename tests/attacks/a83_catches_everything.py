"""Catches BaseException around an endless loop, so that no timeout inside the process could end it.

seconds: 1.5
checks: test_the_mask_fits_every_length
outcomes: timed_out
"""

import time


def causal_mask(*args, **kwargs):
    while True:
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            continue
        finally:
            causal_mask()
