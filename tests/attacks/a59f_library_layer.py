"""Delegates the whole layer to nn.MultiheadAttention behind parameters with GPT-2's names.

checks: test_heads_attend_side_by_side
outcomes: failed
"""

import torch
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        self.n_heads, self.bias = n_heads, bias
        self.c_attn = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.c_proj = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x):
        layer = nn.MultiheadAttention(x.shape[-1], self.n_heads, bias=self.bias, batch_first=True)
        names = {"c_attn.weight": "in_proj_weight", "c_attn.bias": "in_proj_bias"}
        layer.load_state_dict({names.get(n, n.replace("c_proj", "out_proj")): v for n, v in self.state_dict().items()})
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return layer(x, x, x, attn_mask=hidden, need_weights=False)[0]
