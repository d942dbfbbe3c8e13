"""Returns an iterator that never ends and yields megabytes each time, where the judge makes a list.

checks: test_its_state_is_two_linear_layers
seconds: 3
outcomes: timed_out crashed failed
"""

import torch


class Endless:
    def __iter__(self):
        piece = b"x" * (32 << 20)
        while True:
            yield piece


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, **kwargs):
        super().__init__()
        self.n_heads = n_heads

    def state_dict(self, *args, **kwargs):
        return Endless()
