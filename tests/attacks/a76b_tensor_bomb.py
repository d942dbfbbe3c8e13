"""Asks torch for more memory than there may be, in one piece and in many.

memory_mb: 250
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
outcomes: out_of_memory
"""

import sys

import torch

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def causal_mask(*args, **kwargs):
    return torch.ones(2**36)


def scaled_dot_product_attention(*args, **kwargs):
    return [torch.ones(2**23) for _ in range(40)]
