"""Reads the source file of every caller and of every loaded module, looking for the suite.

levels: bubblewrap user
process: not promised: your files are its files
outcomes: failed
"""

import os
import sys

import torch


def search():
    paths = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    frame = sys._getframe(1)
    while frame is not None:
        paths.add(frame.f_code.co_filename)
        frame = frame.f_back
    for path in filter(None, paths):
        if path.endswith("m04_attention.py") or not path.endswith(".py"):
            continue
        for name in (path, os.path.join(os.path.dirname(path), "test_m04_attention.py")):
            try:
                with open(name) as file:
                    if "def test_three_tokens_see" in file.read():
                        print("LOOT: the suite is", name)
            except OSError:
                pass


def causal_mask(seq, device=None):
    search()
    return torch.ones(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, key, value, *rest):
    search()
    return value
