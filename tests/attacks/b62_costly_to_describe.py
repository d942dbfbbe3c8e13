"""Answers with a list of tensors that have many short axes, of which nothing is left out when they are printed.

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
    shape = [6] * 8
    send(frame({"ok": [{"tensor": [n, "int8", shape]} for n in range(3)]}, *[bytes(6**8)] * 3))
