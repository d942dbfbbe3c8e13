"""Asks torch for more memory than there may be, in one piece and in many.

levels: bubblewrap user
memory_mb: 250
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
outcomes: out_of_memory
"""

import os

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def causal_mask(*args, **kwargs):
    return torch.ones(2**36)


def scaled_dot_product_attention(*args, **kwargs):
    return [torch.ones(2**23) for _ in range(40)]
