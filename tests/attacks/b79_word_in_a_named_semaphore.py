"""Leaves a word for the next check in POSIX's semaphores and shared memory with a name, and in files that are mapped.

levels: bubblewrap user
checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
process: not promised: your files are its files
outcomes: failed
"""

import ctypes
import os

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

libc = ctypes.CDLL(None, use_errno=True)
libc.sem_open.restype = ctypes.c_void_p
NAME = b"/sw-attack-word"

if libc.sem_open(NAME, 0):
    print("LOOT: an earlier check has left a semaphore")
if libc.shm_open(NAME, os.O_RDWR, 0) >= 0:
    print("LOOT: an earlier check has left shared memory")
libc.sem_open(NAME, os.O_CREAT, 0o666, 1)
shared = libc.shm_open(NAME, os.O_RDWR | os.O_CREAT, 0o666)
os.ftruncate(shared, 4096)


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query
