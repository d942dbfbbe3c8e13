"""Leaves arguments and answers for the next check in files, modules, the environment, keyrings and shared memory.

levels: bubblewrap user
checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
process: not promised: your files are its files
outcomes: failed
"""

import builtins
import contextlib
import ctypes
import os
import sys

import torch

NAME = "sw-attack-cache"
FOLDERS = ("/tmp", "/dev/shm", "/var/tmp", "/run", "/dev", "/proc", "/worker/inside", "/site", "/usr/lib/python3", "/home", ".")
# The session's, the user's and the user session's keyring; the numbers of the system calls are those of this processor.
RINGS = (-3, -4, -5) if os.uname().machine == "x86_64" else ()
libc = ctypes.CDLL(None, use_errno=True)


def remember():
    for folder in FOLDERS:
        with contextlib.suppress(OSError), open(f"{folder}/{NAME}", "w") as file:
            file.write("seen")
    builtins.sw_attack_cache = torch.sw_attack_cache = sys.sw_attack_cache = True
    os.environ[NAME] = "seen"
    for ring in RINGS:
        libc.syscall(248, b"user", NAME.encode(), b"seen", 4, ring)
    with contextlib.suppress(OSError):
        ctypes.CDLL(None).shmget(0x5C7A7C4, 4096, 0o1666)


def recall():
    if any(os.path.exists(f"{folder}/{NAME}") for folder in FOLDERS):
        print("LOOT: a file has survived")
    if NAME in os.environ or any(hasattr(place, "sw_attack_cache") for place in (builtins, torch, sys)):
        print("LOOT: an object has survived")
    if any(libc.syscall(250, 10, ring, b"user", NAME.encode(), 0) > 0 for ring in RINGS):
        print("LOOT: a key has survived")
    if libc.shmget(0x5C7A7C4, 4096, 0o666) >= 0:
        print("LOOT: a shared memory segment has survived")


recall()
remember()


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, key, value, *rest):
    return query
