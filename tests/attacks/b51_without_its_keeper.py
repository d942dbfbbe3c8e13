"""Has its keeper trace it, which takes the first stop for the end and goes; then fills memory where nobody looks.

memory_mb: 250
seconds: 3
checks: test_the_mask_fits_every_length
outcomes: out_of_memory timed_out
"""

import ctypes
import os
import signal
import sys
import time

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def causal_mask(*args, **kwargs):
    libc = ctypes.CDLL(None)
    libc.prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG: its keeper's end is not its own
    libc.ptrace(0, 0, 0, 0)  # PTRACE_TRACEME
    os.kill(os.getpid(), signal.SIGCHLD)  # which nobody minds who is not traced
    kept = [bytearray(b"x" * 2**20) for _ in range(450)]  # below what the system itself refuses
    time.sleep(0.3)
    return len(kept)
