"""Keeps sending replies from a thread: before, between and after those that were asked for.

outcomes: failed crashed
"""

import json
import os
import struct
import threading

import torch


def frame(node, *buffers):
    text = node if isinstance(node, bytes) else json.dumps(node).encode()
    sizes = struct.pack(f"!{len(buffers)}Q", *map(len, buffers))
    return struct.pack("!4sII", b"SCR1", len(text), len(buffers)) + sizes + text + b"".join(buffers)


def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view) :]


def chatter():
    while True:
        send(frame({"ok": True}) + frame({"ready": True}) + frame({"stop": True}) + frame({"ended": 0}))


threading.Thread(target=chatter, daemon=True).start()


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


scaled_dot_product_attention = causal_mask
