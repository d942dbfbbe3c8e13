"""Unusual: parts in another order, tied from the head's side, no type hints, loading through load_state_dict."""

import dataclasses
import math

import torch
from torch import nn

from . import m03_embedding as m03
from . import m05_block as m05


@dataclasses.dataclass(frozen=True)
class GPTConfig:
    vocab_size: int = 50257
    context_length: int = 1024
    d_model: int = 768
    n_layers: int = 12
    n_heads: int = 12
    d_ff: object = None
    dropout: float = 0.0


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = self.config = config
        self.lm_head = nn.Linear(c.d_model, c.vocab_size, bias=False)
        self.ln_f = m05.LayerNorm(c.d_model)
        self.h = nn.ModuleList()
        for _ in range(c.n_layers):
            self.h.append(m05.Block(d_model=c.d_model, n_heads=c.n_heads, d_ff=c.d_ff, dropout=c.dropout))
        self.drop = nn.Dropout(c.dropout)
        self.wpe = m03.LearnedPositions(c.context_length, c.d_model)
        self.wte = m03.TokenEmbedding(c.vocab_size, c.d_model)
        self.wte.weight = self.lm_head.weight
        self.register_buffer("steps", torch.zeros(()), persistent=False)
        init_weights(self)

    def forward(self, ids):
        stream = self.drop(self.wte(ids) + self.wpe(ids.size(1)))
        return self.lm_head(self.ln_f(nn.Sequential(*self.h)(stream)))


def count_parameters(module):
    seen = set()
    total = 0
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                total += math.prod(parameter.shape)
    return total


def init_weights(model):
    def start(part):
        for name, parameter in part.named_parameters(recurse=False):
            if isinstance(part, m05.LayerNorm):
                parameter.data.fill_(float(name == "weight"))
            elif name == "bias":
                parameter.data.zero_()
            else:
                parameter.data.copy_(torch.randn_like(parameter) * 0.02)

    model.apply(start)
    for block in model.h:
        for part in (block.attn.c_proj, block.mlp.c_proj):
            part.weight.data.div_((2 * len(model.h)) ** 0.5)


def next_token_loss(logits, targets, ignore_index=-100):
    keep = targets != ignore_index
    if not keep.any():
        return (logits * 0).sum()
    return nn.functional.cross_entropy(logits[keep], targets[keep])


def load_gpt2(model, state):
    own = model.state_dict()
    new = {}
    for key in state:
        value, name = state[key], key[12:] if key.startswith("transformer.") else key
        if name.split(".")[-2:] in (["attn", "bias"], ["attn", "masked_bias"]):
            continue
        if name not in own:
            raise ValueError("unexpected " + name)
        if name.split(".")[-2] in ("c_attn", "c_proj", "c_fc") and value.dim() == 2:
            value = value.t().contiguous()
        if value.shape != own[name].shape:
            raise ValueError("shape of " + name)
        new[name] = value
    if "wte.weight" in new:
        if not new.setdefault("lm_head.weight", new["wte.weight"]).equal(new["wte.weight"]):
            raise ValueError("lm_head.weight is not wte.weight")
    missing = [name for name in own if name not in new]
    if missing:
        raise ValueError("missing " + ", ".join(missing))
    model.load_state_dict(new)
