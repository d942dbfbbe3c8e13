"""Answers with a hundred thousand tiny tensors in a list in a list, which take minutes to print in a message.

checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""

import json
import os
import struct


def frame(node, *buffers):
    text = node if isinstance(node, bytes) else json.dumps(node).encode()
    sizes = struct.pack(f"!{len(buffers)}Q", *map(len, buffers))
    return struct.pack("!4sII", b"SCR1", len(text), len(buffers)) + sizes + text + b"".join(buffers)


def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view) :]


def causal_mask(seq, device=None):
    send(frame({"ok": [[{"tensor": [0, "float32", [1]]}] * 100_000]}, bytes(4)))
