"""Answers with a list of tensors that have many short axes, of which nothing is left out when they are printed.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    shape = [6] * 8
    send(frame({"ok": [{"tensor": [n, "int8", shape]} for n in range(3)]}, *[bytes(6**8)] * 3))
