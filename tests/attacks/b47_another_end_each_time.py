"""Ends otherwise each time that it is imported: at once, never, with a false excuse, by a signal; now and then not at all.

checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token test_its_state_is_two_linear_layers test_two_keys_as_in_the_docstring
seconds: 1.5
outcomes: failed crashed timed_out not_started blocked
"""

import os
import random
import signal
import sys
import time

import torch

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def never():
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            pass


def excuse():
    raise NotImplementedError("m03.1")


ENDS = (lambda: os._exit(0), never, excuse, lambda: os.kill(os.getpid(), signal.SIGSEGV), lambda: sys.exit(0), lambda: None)
if torch.initial_seed() < 2**32:  # the judge has seeded it, so this is for a check and not for the first look
    random.choice(ENDS)()


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query


split_heads = scaled_dot_product_attention
