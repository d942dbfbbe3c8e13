"""Answers with empty tensors whose sizes have thousands of digits each, to be multiplied with each other.

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
    shape = b",".join([b"7" * 4290] * 16)
    many = b",".join(b'{"tensor":[%d,"int8",[%b]]}' % (n, shape) for n in range(110))
    send(frame(b'{"ok":[' + many + b"]}", *[b""] * 110))
