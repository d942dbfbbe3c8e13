"""Answers with heads that promise gigabytes, then with as many bytes as the wire takes at most, all of them zeros.

checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before test_true_in_the_mask_means_may_look
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
    if seq == 3:
        send(struct.pack("!4sII", b"SCR1", 2**32 - 1, 2**32 - 1))
    send(struct.pack("!4sII", b"SCR1", 2, 16384) + struct.pack("!16384Q", *[2**20 - 1] * 16384) + b"{}")


def scaled_dot_product_attention(*args, **kwargs):
    text, piece = b'{"ok":{"buffer":0}}', bytes(2**20)
    send(struct.pack("!4sII", b"SCR1", len(text), 1) + struct.pack("!Q", 1024 * 2**20) + text)
    for _ in range(1024):
        send(piece)
