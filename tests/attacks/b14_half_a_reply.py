"""Sends half a reply and then nothing, drips a byte at a time, or closes its end while the judge still writes.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
seconds: 1.5
outcomes: timed_out crashed
"""

import json
import os
import socket
import struct
import time


def frame(node, *buffers):
    text = node if isinstance(node, bytes) else json.dumps(node).encode()
    sizes = struct.pack(f"!{len(buffers)}Q", *map(len, buffers))
    return struct.pack("!4sII", b"SCR1", len(text), len(buffers)) + sizes + text + b"".join(buffers)


def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view) :]


def causal_mask(seq, device=None):
    os.write(3, frame({"ok": True})[:7])
    time.sleep(3600)


def scaled_dot_product_attention(*args, **kwargs):
    for byte in frame({"ok": "x" * 10_000}):
        os.write(3, bytes([byte]))
        time.sleep(0.01)


def split_heads(*args, **kwargs):
    socket.socket(fileno=os.dup(3)).shutdown(socket.SHUT_RDWR)
    time.sleep(3600)
