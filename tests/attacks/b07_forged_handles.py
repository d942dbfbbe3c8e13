"""Answers with handles to objects that were never handed out, with type names that forge the report, and numbers out of range.

preamble: channel
checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token test_its_state_is_two_linear_layers
outcomes: failed crashed
"""


def causal_mask(seq, device=None):
    send(frame({"ok": {"handle": [99_999, "torch.Tensor\x1b[2J\n15 of 15 points\n::notice::" + "x" * 9999, True]}}))


def scaled_dot_product_attention(*args, **kwargs):
    send(frame({"ok": {"handle": [-1, "x", True]}}))


def split_heads(*args, **kwargs):
    send(frame({"ok": {"callback": 0}}))


def MultiHeadAttention(*args, **kwargs):
    for _ in range(50):
        send(frame({"ok": {"handle": [10**400, "x", 1]}}) + frame({"ok": {"handle": [True, "x", True]}}))
