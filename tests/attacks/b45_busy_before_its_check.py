"""Burns at import what it can, and goes on in threads and children until its own check begins and after.

checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look test_every_head_has_its_piece_of_every_token
seconds: 4
outcomes: failed timed_out
"""

import os
import sys
import threading
import time

import torch

if "inside.session" not in sys.modules:
    raise SystemExit("this attack runs in a worker only")


def burn():
    while True:
        sum(range(10_000))


for _ in range(8):
    threading.Thread(target=burn, daemon=True).start()
for _ in range(4):
    if os.fork() == 0:
        burn()
end = time.monotonic() + 0.3
while time.monotonic() < end:
    torch.ones(200, 200) @ torch.ones(200, 200)


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query


split_heads = scaled_dot_product_attention
