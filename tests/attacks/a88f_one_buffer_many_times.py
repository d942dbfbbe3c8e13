"""Answers with one buffer of 25 MB and a list that refers to it sixty times, so that the judge makes sixty copies.

checks: test_the_mask_fits_every_length
seconds: 3
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
    send(frame({"ok": [{"buffer": 0}] * 60}, bytes(25 << 20)))
