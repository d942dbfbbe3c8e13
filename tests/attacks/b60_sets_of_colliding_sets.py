"""Answers with a set of sets of colliding integers, so that to compare any two of them takes the square of their size.

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
    alike = [str(7 + k * prime).encode() for k in range(1, 500)]
    inner = [b'{"frozenset":[%b]}' % b",".join(alike[:n] + alike[n + 1 :]) for n in range(400)]
    send(frame(b'{"ok":{"set":[%b]}}' % b",".join(inner)))
