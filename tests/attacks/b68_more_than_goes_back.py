"""Answers with thousands of short texts in buffers, which become too long a message when the check hands them back.

preamble: channel
milestone: m13_quantization
checks: test_unpacking_undoes_packing
seconds: 10
outcomes: failed crashed
"""

import torch


def pack_int4(q):
    send(frame({"ok": [{"buffer": n} for n in range(16_000)]}, *[bytes(4000)] * 16_000))


def unpack_int4(packed, length):
    low, high = packed & 15, packed >> 4
    both = torch.stack([low, high], -1).flatten(-2)[..., :length].to(torch.int8)
    return torch.where(both > 7, both - 16, both)
