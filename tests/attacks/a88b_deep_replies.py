"""Answers with JSON that is nested a million deep, or as deep as the wire takes, or a million times side by side.

preamble: channel
checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before test_true_in_the_mask_means_may_look
seconds: 4
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    if seq == 3:
        send(frame(b'{"ok":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"))
    node = True
    for _ in range(50):
        node = {"tuple": [node]}
    send(frame({"ok": node}))


def scaled_dot_product_attention(*args, **kwargs):
    send(frame(b'{"ok":[' + b'{"tuple":[[]]},' * 999_999 + b"[]]}"))
