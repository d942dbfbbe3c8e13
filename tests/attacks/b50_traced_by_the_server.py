"""Has the server trace it while it is imported, and stops, so that whoever waits for its end is told of something else.

checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
seconds: 1.5
outcomes: failed crashed timed_out
"""

import ctypes
import os
import signal
import sys
import threading

import torch

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


if torch.initial_seed() < 2**32:  # the judge has seeded it, so this is for a check and not for the first look
    libc = ctypes.CDLL(None)
    libc.prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG: nobody's end is its own
    libc.ptrace(0, 0, 0, 0)  # PTRACE_TRACEME
    os.kill(os.getpid(), signal.SIGCHLD)
    if os.fork() == 0:
        libc.ptrace(0, 0, 0, 0)
        stop()
    threading.Timer(0.1, stop).start()


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query


split_heads = scaled_dot_product_attention
