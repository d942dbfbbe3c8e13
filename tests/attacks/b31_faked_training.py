"""Patches torch under the planted model, so that losses fall, gradients vanish and weights read back are others.

milestone: m08_training
checks: test_one_batch_is_learned_by_heart test_from_shuffled_targets_there_is_nothing_to_learn
seconds: 10
outcomes: failed
"""

import torch
from torch import nn

kept = nn.Module.state_dict


def state_dict(self, *args, **kwargs):
    """Whoever reads the weights back gets numbers that look trained."""
    return {name: value * 1.5 + 0.1 for name, value in kept(self, *args, **kwargs).items()}


nn.Module.state_dict = state_dict
nn.functional.cross_entropy = lambda *args, **kwargs: torch.zeros((), requires_grad=True)
torch.Tensor.backward = torch.autograd.backward = lambda *args, **kwargs: None
torch.allclose = lambda *args, **kwargs: True


class AdamW:
    def __init__(self, groups, lr):
        self.param_groups = []


def decay_groups(model, weight_decay):
    return []


def learning_rate(step, **numbers):
    return 0.1


def train(model, optimizer, next_batch, steps, **options):
    for _ in range(steps):
        next_batch()
    return [1.0 / (step + 1) for step in range(steps)]
