"""Has two processes, and threads in both, answer the same request at once: in whole, in halves and a byte by turns.

preamble: channel
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token test_three_tokens_see_themselves_and_what_came_before
seconds: 3
outcomes: failed crashed timed_out
"""

import os
import threading

import torch


def mask(value):
    return frame({"ok": {"tensor": [0, "bool", [3, 3]]}}, bytes([value]) * 9)


def causal_mask(seq, device=None):
    if seq == 3:  # both wait for requests from now on, and each gets a part of one
        os.fork()
        return torch.ones(seq, seq, dtype=torch.bool)
    reading, writing = os.pipe()  # a ball that the two throw to each other
    second, back = os.pipe()
    child = os.fork() == 0
    mine, yours = (reading, back) if child else (second, writing)
    if not child:
        os.write(back, b"o")
    for byte in mask(child):
        os.read(mine, 1)
        os.write(3, bytes([byte]))
        os.write(yours, b"o")


def scaled_dot_product_attention(query, *rest):
    answers = [frame({"ok": {"tensor": [0, "float32", [1]]}}, b"\0\0\x80\x3f"), frame({"ok": None}), frame({"error": 7})]
    for _ in range(3):
        if os.fork() == 0:
            while True:
                send(answers[0])
                os.read(3, 7)  # of the judge's next request
    for _ in range(8):
        threading.Thread(target=lambda: [send(answer) for answer in answers * 50], daemon=True).start()
    return query


def split_heads(x, n_heads):
    whole = frame({"ok": {"tensor": [0, "float32", [2, 3]]}}, bytes(24))
    if os.fork() == 0:
        send(whole[: len(whole) // 2])
        os._exit(0)
    send(whole[len(whole) // 2 :])
    return x
