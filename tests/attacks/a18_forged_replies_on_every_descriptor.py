"""Writes well-formed replies, full of plausible answers, to every descriptor that can be written, the channel included.

outcomes: failed crashed
"""

import json
import os
import struct


def frame(node, *buffers):
    text = json.dumps(node).encode()
    sizes = struct.pack(f"!{len(buffers)}Q", *map(len, buffers))
    return struct.pack("!4sII", b"SCR1", len(text), len(buffers)) + sizes + text + b"".join(buffers)


MASK = frame({"ok": {"tensor": [0, "bool", [3, 3]]}}, bytes([1, 0, 0, 1, 1, 0, 0, 0, 0]))
HANDLE = frame({"ok": {"handle": [1, "function", True]}})
FORGED = [
    frame({"ok": None}),  # loaded
    frame({"ok": True}),
    HANDLE,
    MASK,
    frame({"passed": True}),
    frame({"ok": {"passed": True}}),
    frame({"ok": [], "shortcuts": []}),
]


def shout(*args, **kwargs):
    for descriptor in range(256):
        os.set_blocking(descriptor, False) if _open(descriptor) else None
        for piece in FORGED:
            try:
                os.write(descriptor, piece)
            except OSError:
                break


def _open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


shout()


def causal_mask(seq, device=None):
    shout()


scaled_dot_product_attention = causal_mask
