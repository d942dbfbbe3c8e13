"""Sets hundreds of threads for torch and starts as many of its own, to slow everybody down.

levels: bubblewrap user
checks: test_the_mask_fits_every_length
seconds: 3
process: not promised: threads are not counted
outcomes: failed crashed timed_out
"""

import threading

import torch


def causal_mask(seq, device=None):
    torch.set_num_threads(500)
    started = []
    try:
        for _ in range(500):
            started.append(threading.Thread(target=lambda: [torch.randn(50, 50) @ torch.randn(50, 50) for _ in range(10)]))
            started[-1].start()
    except RuntimeError:
        pass
    (torch.randn(700, 700) @ torch.randn(700, 700)).sum()
    return torch.zeros(seq, seq, dtype=torch.bool)
