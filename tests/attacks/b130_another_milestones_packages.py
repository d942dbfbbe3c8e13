"""Looks for the packages that another milestone alone may import: by name, by path, and in what is loaded.

levels: bubblewrap
user: not promised: all packages of the environment lie in one folder
process: not promised: your files are its files
outcomes: failed
"""

import importlib
import os
import sys

import torch

NAMES = ("fastapi", "starlette", "uvicorn", "pydantic", "anyio")
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "inside.shortcuts"]

for name in NAMES:
    if name in sys.modules:
        print(f"LOOT: {name} is loaded")
    for folder in [*sys.path, "/site"]:
        if os.path.exists(os.path.join(folder, name)):
            print(f"LOOT: {name} lies in {folder}")
    try:
        importlib.import_module(name)
        print(f"LOOT: {name} can be imported")
    except ImportError:
        pass


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query
