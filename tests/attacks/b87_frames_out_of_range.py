"""Reports exceptions in lines below the first, in no lines, and in files whose names no text can hold.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token test_three_tokens_see_themselves_and_what_came_before
outcomes: failed crashed
"""

import json
import os
import struct
import time


def report(*frames):
    error = {"kind": "Value\ud800Error", "bases": ["\udfff"], "text": "half of a pair: \ud800", "frames": list(frames)}
    text = json.dumps({"error": error}).encode()
    os.write(3, struct.pack("!4sII", b"SCR1", len(text), 0) + text)
    time.sleep(60)


def causal_mask(seq, device=None):
    report(["m04_attention.py", -5, "causal_mask"], ["m04_attention.py", True, "causal_mask"])


def scaled_dot_product_attention(*args, **kwargs):
    report(["m04_attention.py", 10**400, "x"], ["m04_attention.py", 2**70, "x"], ["m04_attention.py", 1e300, "x"])


def split_heads(*args, **kwargs):
    report(["\ud800.py", 1, "\udfff"], ["m04_attention.py", -(2**63), "x" * 1_000_000])
