"""Asks the judge's table for the rows of two index tensors at once, whose pairs are a million times as many as they.

milestone: m03_embedding
checks: test_every_sequence_gets_the_same_positions
seconds: 20
outcomes: failed crashed
"""

import torch


def embed(wte, wpe, ids, start=0):
    many = torch.zeros(20_000, dtype=torch.int64)
    return wte((many[:, None], many[None, :]))
