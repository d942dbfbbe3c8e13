"""Starts threads that are no daemons and never end, and waits for them when the process should go.

outcomes: failed
"""

import atexit
import threading
import time

import torch


def causal_mask(seq, device=None):
    threads = [threading.Thread(target=time.sleep, args=(3600,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    atexit.register(threads[0].join)
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, key, value, *rest):
    causal_mask(1)
    return query
