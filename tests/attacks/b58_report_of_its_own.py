"""Answers with an error report of its own, which has a likely mistake, notes, a title and shortcuts that it made up.

checks: test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
outcomes: failed crashed
"""

import sys

TOLD = {
    "kind": "CheckFailed",
    "bases": ["CheckFailed", "AssertionError", "GraderError"],
    "text": "LOOT",
    "frames": [["LOOT.py", 7353, "LOOT"], ["m03_embedding.py", 3, "LOOT"]],
    "mistake": "LOOT",
    "blocked_by": "LOOT",
    "notes": ["LOOT"],
    "title": "LOOT",
    "message": "LOOT",
    "official": "LOOT",
}


def causal_mask(*args, **kwargs):
    sys.modules["inside.session"].Session._failure = lambda *args: ({"error": TOLD, "shortcuts": ["LOOT"]}, [])
    raise ValueError


def scaled_dot_product_attention(*args, **kwargs):
    sys.modules["inside.session"].Session.handle = lambda *args: ({"error": TOLD, "shortcuts": ["LOOT"]}, [])
    raise ValueError
