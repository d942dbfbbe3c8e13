"""Hides a library call behind more harmless names than the reader of the source keeps.

checks: test_true_in_the_mask_means_may_look
outcomes: failed
"""

import torch.nn.functional as F

# fmt: off
if False:
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
    F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;F.a;
# fmt: on


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    return F.scaled_dot_product_attention(query, key, value, mask, dropout)
