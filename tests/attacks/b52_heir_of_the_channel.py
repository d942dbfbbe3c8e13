"""Ends at once and leaves the channel to a child, whose memory and whose own children nobody may have in view any more.

memory_mb: 250
seconds: 3
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
outcomes: out_of_memory crashed
"""

import os
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def causal_mask(*args, **kwargs):
    if os.fork():
        os._exit(0)
    time.sleep(0.3)
    kept = [bytearray(b"x" * 2**20) for _ in range(450)]  # below what the system itself refuses
    time.sleep(0.3)
    return len(kept)


def scaled_dot_product_attention(*args, **kwargs):
    if os.fork():
        os._exit(0)
    time.sleep(0.3)
    for _ in range(62):
        if os.fork() == 0:
            kept = bytearray(b"x" * (8 * 2**20))
            time.sleep(1)
            os._exit(len(kept) & 1)
    time.sleep(1)
    return "still here"
