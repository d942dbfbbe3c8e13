"""Leaves a daemon that listens on its loopback, and looks whether one of an earlier check's still answers there.

levels: bubblewrap
loopback: 1
checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
user: not promised: the network is open
process: not promised: the network is open
outcomes: failed
"""

import os
import socket
import time

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

PLACES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
PORT = 48_123

for family, host in PLACES:
    with socket.socket(family) as caller:
        caller.settimeout(1)
        if caller.connect_ex((host, PORT)) == 0:
            print("LOOT: an earlier check listens at", host)
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    listeners = [socket.create_server((host, PORT), family=family) for family, host in PLACES]
    os.write(told, b"x")
    time.sleep(60)
os.read(ready, 1)
for family, host in PLACES:
    with socket.socket(family) as caller:
        print("own daemon at", host, caller.connect_ex((host, PORT)) == 0)


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query
