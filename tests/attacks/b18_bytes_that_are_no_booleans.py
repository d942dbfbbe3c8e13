"""Answers with a boolean tensor whose bytes are neither 0 nor 1, and with shapes of astronomic size and no content.

preamble: channel
checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
outcomes: failed crashed
"""


def causal_mask(seq, device=None):
    if seq == 3:
        send(frame({"ok": {"tensor": [0, "bool", [3, 3]]}}, bytes(range(200, 209))))
    send(frame({"ok": {"tensor": [0, "bool", [seq, seq]]}}, b"\x02" * (seq * seq)))


def scaled_dot_product_attention(*args, **kwargs):
    send(frame({"ok": {"tensor": [0, "float32", [0, 2**62, 2**62, 2**62]]}}, b""))


def split_heads(x, n_heads):
    send(frame({"ok": {"scalar": [0, "float64", [1]]}}, bytes(8)))
