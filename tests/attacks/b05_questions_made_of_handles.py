"""Asks questions that are handles themselves, so that the judge asks back while it is being asked, deeper and deeper.

checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before
seconds: 4
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
    part = {"handle": [1, "x", True]}
    whole = {"dict": [["kind", "x"], ["number", 0], ["args", part], ["kwargs", part]]}
    while True:
        send(frame({"ask": part if seq == 3 else whole}))
