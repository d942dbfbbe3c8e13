"""Sends half a reply and then nothing, drips a byte at a time, or closes its end while the judge still writes.

preamble: channel
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
seconds: 1.5
outcomes: timed_out crashed
"""

import os
import socket
import time


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
