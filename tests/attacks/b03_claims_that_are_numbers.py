"""Makes a probe report the float that is no number where the report wants a sentence, so that no JSON can be written.

checks: test_a_layer_runs_where_its_input_is
outcomes: failed crashed
"""

import sys

import torch

sys.modules["inside.probes"].PROBES["fake_device"] = lambda *args: {"verdict": "mismatch", "message": float("nan")}


class MultiHeadAttention(torch.nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        self.n_heads = n_heads
        self.c_attn = torch.nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = torch.nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x):
        return torch.zeros_like(x)
