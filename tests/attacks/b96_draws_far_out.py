"""Draws tokens so far beyond the vocabulary that a table of their counts would fill the judge's memory.

milestone: m07_generation
checks: test_tokens_come_up_as_often_as_they_should test_draws_know_nothing_of_each_other
outcomes: failed
"""

import torch


def sample(probs, generator=None):
    return torch.full(probs.shape[:-1], 150_000_000)
