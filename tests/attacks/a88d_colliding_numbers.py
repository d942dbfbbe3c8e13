"""Answers with a set of integers that all have the same hash, so that the judge compares each with all others.

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
    prime = 2**61 - 1
    send(frame({"ok": {"set": [(7 + k * prime) % 2**200 for k in range(40_000)] + ["x"]}}))
