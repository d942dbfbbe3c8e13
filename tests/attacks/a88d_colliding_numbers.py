"""Answers with a set of integers that all have the same hash, so that the judge compares each with all others.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    prime = 2**61 - 1
    send(frame({"ok": {"set": [(7 + k * prime) % 2**200 for k in range(40_000)] + ["x"]}}))
