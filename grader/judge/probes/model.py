"""A small trusted language model of GPT-2's shape, for milestones that take any model: in the worker, and in the judge.

Its modules are torch's own and bear GPT-2's names, with `nn.Linear` where the checkpoint has Conv1D.
"""

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Causal attention by torch's own function."""

    def __init__(self, d_model, n_heads, dropout):
        super().__init__()
        self.n_heads, self.dropout = n_heads, dropout
        self.c_attn, self.c_proj = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)

    def forward(self, x):
        """(batch, seq, d_model) in and out."""
        batch, seq, _ = x.shape
        query, key, value = self.c_attn(x).view(batch, seq, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        return F.dropout(self.c_proj(mixed.transpose(1, 2).flatten(2)), self.dropout, self.training)


class FeedForward(nn.Module):
    """Two linear layers with GPT-2's GELU between them."""

    def __init__(self, d_model, d_ff, dropout):
        super().__init__()
        self.dropout = dropout
        self.c_fc, self.c_proj = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x):
        """(batch, seq, d_model) in and out."""
        return F.dropout(self.c_proj(F.gelu(self.c_fc(x), approximate="tanh")), self.dropout, self.training)


class Layer(nn.Module):
    """One pre-norm block."""

    def __init__(self, d_model, n_heads, d_ff, dropout):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(d_model), Attention(d_model, n_heads, dropout)
        self.ln_2, self.mlp = nn.LayerNorm(d_model), FeedForward(d_model, d_ff, dropout)

    def forward(self, x):
        """(batch, seq, d_model) in and out."""
        for norm, part in ((self.ln_1, self.attn), (self.ln_2, self.mlp)):
            x = x + part(norm(x))
        return x


class LanguageModel(nn.Module):
    """Ids (batch, seq) to logits (batch, seq, vocab_size); `watch` is told the shape of all ids that are embedded."""

    def __init__(self, vocab_size, context_length, d_model, n_layers, n_heads, d_ff=None, dropout=0.0, watch=None):
        super().__init__()
        d_ff = d_ff or 4 * d_model
        self.wte, self.wpe = nn.Embedding(vocab_size, d_model), nn.Embedding(context_length, d_model)
        self.h = nn.ModuleList(Layer(d_model, n_heads, d_ff, dropout) for _ in range(n_layers))
        self.ln_f, self.lm_head = nn.LayerNorm(d_model), nn.Linear(d_model, vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight
        if watch is not None:
            self.wte.register_forward_pre_hook(lambda _, args: watch(list(args[0].shape)))

    def forward(self, ids):
        """Raises ValueError when the sequence is longer than the context."""
        if ids.shape[1] > len(self.wpe.weight):
            raise ValueError(f"{ids.shape[1]} tokens do not fit the context of {len(self.wpe.weight)}")
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for layer in self.h:
            x = layer(x)
        return self.lm_head(self.ln_f(x))


def build(sizes, state, watch=None, dropout=0.0):
    """Return a model of these sizes with these weights (`lm_head.weight` may be left out), in eval mode."""
    model = LanguageModel(**sizes, watch=watch, dropout=dropout)
    model.load_state_dict({"lm_head.weight": state["wte.weight"], **state})
    return model.eval()
