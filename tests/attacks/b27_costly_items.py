"""Yields items without end that cost the judge a second to read and itself nothing, as they were packed beforehand.

preamble: channel
checks: test_its_state_is_two_linear_layers
seconds: 2
outcomes: timed_out crashed failed
"""

import os

import torch


class Costly:
    def __iter__(self):
        return self

    def __next__(self):
        item = frame(b'{"ok":[' + b'{"tuple":[[]]},' * 250_000 + b"[]]}")
        while True:
            send(item)
            os.read(3, 65536)


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, **kwargs):
        super().__init__()
        self.n_heads = n_heads

    def state_dict(self, *args, **kwargs):
        return Costly()
