"""Moves to every core at once and keeps them all busy, so that the other judge and its worker come too late for everything.

checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: failed timed_out crashed
judges: 2
seconds: 2
"""

import os

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def burn():
    everywhere = range(os.cpu_count() or 1)
    for core in everywhere:
        if os.fork() == 0:
            try:
                os.sched_setaffinity(0, {core})
            except OSError:
                pass
            while True:
                pass
    os.sched_setaffinity(0, set(everywhere))
    while True:
        pass


def causal_mask(length, *more):
    burn()


def scaled_dot_product_attention(*more, **named):
    burn()


def split_heads(*more, **named):
    burn()
