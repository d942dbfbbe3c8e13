"""Watches the files that all workers read, to see when the other judge's worker, or the judge itself, opens one.

checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: failed crashed
judges: 2
"""

import ctypes
import os

import torch

libc = ctypes.CDLL(None)
ALL = 0x00000FFF  # every event of inotify
SHARED = (os.__file__, torch.__file__, os.path.dirname(os.__file__), "/usr/lib", "/etc", "/tmp")
watching = []


def watch():
    for which in ("inotify_init1", "inotify_init"):
        number = getattr(libc, which)(os.O_NONBLOCK) if which.endswith("1") else getattr(libc, which)()
        if number < 0:
            continue
        print("LOOT: somebody who watches is to be had")
        watching.append(number)
        for path in SHARED:
            if libc.inotify_add_watch(number, path.encode(), ALL) >= 0:
                print("LOOT: watches", path)
    if (number := libc.fanotify_init(0x200, 0)) >= 0:
        print("LOOT: a group that watches whole file systems is to be had")
        os.close(number)


def look():
    watch()
    for number in watching:
        try:
            print("LOOT: somebody opened", len(os.read(number, 4096)), "bytes worth of files")
        except OSError:
            pass


look()


def causal_mask(length, *more):
    look()
    return torch.zeros(length, length, dtype=torch.bool)


def scaled_dot_product_attention(*more, **named):
    look()
    return torch.zeros(1)


def split_heads(*more, **named):
    look()
    return torch.zeros(1)
