"""Asks questions that are handles themselves, so that the judge asks back while it is being asked, deeper and deeper.

preamble: channel
checks: test_the_mask_fits_every_length test_three_tokens_see_themselves_and_what_came_before
seconds: 4
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    part = {"handle": [1, "x", True]}
    whole = {"dict": [["kind", "x"], ["number", 0], ["args", part], ["kwargs", part]]}
    while True:
        send(frame({"ask": part if seq == 3 else whole}))
