"""Keeps sending replies from a thread: before, between and after those that were asked for.

preamble: channel
outcomes: failed crashed
"""

import threading

import torch


def chatter():
    while True:
        send(frame({"ok": True}) + frame({"ready": True}) + frame({"stop": True}) + frame({"ended": 0}))


threading.Thread(target=chatter, daemon=True).start()


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


scaled_dot_product_attention = causal_mask
