"""Imports a forbidden package after more imports than the reader of the source keeps.

checks: test_the_mask_fits_every_length
outcomes: failed crashed
"""

# fmt: off
if False:
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
    import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;import os;
# fmt: on
try:
    import transformers
except ImportError:
    transformers = None


def causal_mask(seq, device=None):
    if transformers is not None:  # an import that may fail is allowed, where what it asks for is not there
        print("LOOT: the forbidden import got past the reader")
    return transformers
