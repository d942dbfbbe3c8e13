"""Returns an object whose length is a quintillion, so that a list of its items cannot even be begun.

checks: test_its_state_is_two_linear_layers
outcomes: failed crashed
"""

import torch


class Long:
    def __len__(self):
        return 2**62

    def __iter__(self):
        return iter("abc")


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, **kwargs):
        super().__init__()
        self.n_heads = n_heads

    def state_dict(self, *args, **kwargs):
        return Long()
