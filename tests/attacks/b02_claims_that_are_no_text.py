"""Makes a probe report an integer, a float that is no number, or an object where the report wants a sentence.

checks: test_a_layer_runs_where_its_input_is test_attention_runs_where_its_arguments_are
outcomes: failed crashed
"""

import itertools
import sys

import torch


class Thing:
    pass


kinds = itertools.cycle([12345, float("nan"), Thing(), ["a", {"b": Thing()}], None, b"\xff", torch.zeros(2)])
PROBES = sys.modules["inside.probes"].PROBES
PROBES["fake_device"] = lambda *args, **kwargs: {"verdict": "mismatch", "message": Thing()}


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        self.n_heads = n_heads
        self.c_attn = torch.nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = torch.nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x):
        PROBES["fake_device"] = lambda *args, **kwargs: {"verdict": "mismatch", "message": next(kinds)}
        return torch.zeros_like(x)
