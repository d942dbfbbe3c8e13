"""Answers with as many nested lists as are allowed, and with long integers, where the check hands its answer back.

milestone: m13_quantization
checks: test_unpacking_undoes_packing
seconds: 5
outcomes: failed crashed
"""

import json
import os
import struct

import torch


def frame(node, *buffers):
    text = node if isinstance(node, bytes) else json.dumps(node).encode()
    sizes = struct.pack(f"!{len(buffers)}Q", *map(len, buffers))
    return struct.pack("!4sII", b"SCR1", len(text), len(buffers)) + sizes + text + b"".join(buffers)


def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view) :]


def pack_int4(q):
    send(frame(b'{"ok":' + b"[" * 49 + b"7" * 4000 + b"]" * 49 + b"}"))


def unpack_int4(packed, length):
    low, high = packed & 15, packed >> 4
    both = torch.stack([low, high], -1).flatten(-2)[..., :length].to(torch.int8)
    return torch.where(both > 7, both - 16, both)
