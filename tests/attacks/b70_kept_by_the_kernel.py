"""Fills memory with semaphores and messages of System V's and of POSIX's, which belong to the machine and to no process.

memory_mb: 250
checks: test_the_mask_fits_every_length
outcomes: failed
"""

import ctypes
import os
import struct
import sys

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")

libc = ctypes.CDLL(None, use_errno=True)
OPEN_QUEUE = 240 if os.uname().machine == "x86_64" else 180
QUEUE = struct.pack("8l", 0, 10, 1024, 0, 0, 0, 0, 0)
MESSAGE = struct.pack("l", 1) + b"x" * 1024


def causal_mask(*args, **kwargs):
    sets = [made for _ in range(4) if (made := libc.semget(0, 30_000, 0o1600)) >= 0]  # 2 MB each
    queues = [made for _ in range(4) if (made := libc.msgget(0, 0o1600)) >= 0]
    sent = sum(libc.msgsnd(queue, MESSAGE, 1024, 0o4000) == 0 for queue in queues for _ in range(8))
    named = libc.syscall(OPEN_QUEUE, b"sw-attack-queue", os.O_CREAT | os.O_RDWR, 0o600, QUEUE)
    for made in sets:
        libc.semctl(made, 0, 0)  # or they would stay where there is no IPC namespace
    for made in queues:
        libc.msgctl(made, 0, None)
    if named >= 0:
        libc.mq_unlink(b"/sw-attack-queue")
    if sets or queues or named >= 0:
        print(f"LOOT: {len(sets)} sets of semaphores, {sent} kB in {len(queues)} queues, one with a name: {named >= 0}")
