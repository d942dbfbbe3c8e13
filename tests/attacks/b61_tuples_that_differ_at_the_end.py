"""Answers with a dict whose keys are long tuples of the same hash, which differ in their last places alone.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""


def causal_mask(seq, device=None):
    same = [float(2 ** (61 * k)) for k in range(-16, 17)]  # all with the hash of 1.0
    assert len({hash(x) for x in same}) == 1
    ends = [f"{a!r},{b!r},{c!r}".encode() for a in same for b in same for c in (1.0, same[0])][:1200]
    keys = [b'[{"tuple":[%b%b]},0]' % (b"1.5," * 1190, end) for end in ends]
    send(frame(b'{"ok":{"dict":[' + b",".join(keys) + b"]}}"))
