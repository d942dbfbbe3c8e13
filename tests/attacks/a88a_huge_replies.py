"""Answers with heads that promise gigabytes, then with as many bytes as the wire takes at most, all of them zeros.

preamble: channel
checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before test_true_in_the_mask_means_may_look
seconds: 4
outcomes: crashed failed timed_out
"""

import struct


def causal_mask(seq, device=None):
    if seq == 3:
        send(struct.pack("!4sII", b"SCR1", 2**32 - 1, 2**32 - 1))
    send(struct.pack("!4sII", b"SCR1", 2, 16384) + struct.pack("!16384Q", *[2**20 - 1] * 16384) + b"{}")


def scaled_dot_product_attention(*args, **kwargs):
    text, piece = b'{"ok":{"buffer":0}}', bytes(2**20)
    send(struct.pack("!4sII", b"SCR1", len(text), 1) + struct.pack("!Q", 1024 * 2**20) + text)
    for _ in range(1024):
        send(piece)
