"""Answers with empty tensors whose sizes have thousands of digits each, to be multiplied with each other.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    shape = b",".join([b"7" * 4290] * 16)
    many = b",".join(b'{"tensor":[%d,"int8",[%b]]}' % (n, shape) for n in range(110))
    send(frame(b'{"ok":[' + many + b"]}", *[b""] * 110))
