"""Answers with one buffer of 25 MB and a list that refers to it sixty times, so that the judge makes sixty copies.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 3
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    send(frame({"ok": [{"buffer": 0}] * 60}, bytes(25 << 20)))
