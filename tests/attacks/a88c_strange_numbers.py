"""Answers with NaN, infinities, giant integers, lone surrogates, UTF-16 and half-finished JSON.

checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: crashed failed
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
        send(frame(b'{"ok":[NaN,Infinity,-Infinity,1e999,-0.0,' + b"9" * 4300 + b"]}"))
    send(frame(b'{"ok":' + b"9" * 5000 + b"}"))


def scaled_dot_product_attention(*args, **kwargs):
    send(frame('{"ok":["\\ud800","\\u0000\\u001b[31m","\u202e"]}'.encode("utf-16")))


def split_heads(*args, **kwargs):
    send(frame(b'{"ok":{"tensor":[0,"float32",[1,2,'))
