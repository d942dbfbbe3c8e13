"""Answers with a hundred thousand tiny tensors in a list in a list, which take minutes to print in a message.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    send(frame({"ok": [[{"tensor": [0, "float32", [1]]}] * 100_000]}, bytes(4)))
