"""Answers with a dict whose keys are pairs of small integers that were computed to have the same hash.

preamble: channel
checks: test_the_mask_fits_every_length
seconds: 2
outcomes: crashed failed timed_out
"""


def colliding(count):
    """Solve Python's hash of a pair for its second part."""
    bits = 2**64
    first, second, start = 11400714785074694791, 14029467366897019727, 2870177450012600261
    inverse, pairs, a = pow(second, -1, bits), [], 0
    while len(pairs) < count:
        a += 1
        mixed = (start + a * second) % bits
        mixed = ((mixed << 31) | (mixed >> 33)) % bits * first % bits
        b = (12345678901234567 - mixed) * inverse % bits
        if b < 2**61 - 1:
            pairs.append([a, b])
    assert hash(tuple(pairs[0])) == hash(tuple(pairs[1]))
    return pairs


def causal_mask(seq, device=None):
    send(frame({"ok": {"dict": [[{"tuple": pair}, 0] for pair in colliding(20_000)]}}))
