"""Unusual: subclasses for parts, a stream that lies transposed in memory, a config that is a tuple, set_ to load."""

import math
from collections import namedtuple
from functools import reduce

import torch
from torch import nn

from .m03_embedding import LearnedPositions, TokenEmbedding, embed
from .m05_block import Block, LayerNorm

_Sizes = namedtuple("_Sizes", "vocab_size context_length d_model n_layers n_heads d_ff dropout")


class GPTConfig(_Sizes):
    def __new__(
        cls, vocab_size=50257, context_length=1024, d_model=768, n_layers=12, n_heads=12, d_ff=None, dropout=0.0
    ):
        return super().__new__(cls, vocab_size, context_length, d_model, n_layers, n_heads, d_ff, dropout)


class _Head(nn.Linear):
    """A head that is born with somebody else's weight."""

    def __init__(self, table):
        super().__init__(table.shape[1], 1, bias=False)
        self.out_features = table.shape[0]
        self.weight = table


class _Tokens(TokenEmbedding):
    pass


class GPT(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte, self.wpe = (
            _Tokens(config.vocab_size, config.d_model),
            LearnedPositions(config.context_length, config.d_model),
        )
        blocks = (Block(config.d_model, config.n_heads, config.d_ff, config.dropout) for _ in [0] * config.n_layers)
        self.h = nn.ModuleList(blocks)
        self.ln_f = LayerNorm(config.d_model)
        self.lm_head = _Head(self.wte.weight)
        init_weights(self)

    def forward(self, ids):
        x = embed(self.wte, self.wpe, ids).mT.contiguous().mT
        x = torch.dropout(x, self.config.dropout, self.training)
        return self.lm_head(self.ln_f(reduce(lambda stream, block: block(stream), self.h, x)))


def count_parameters(module):
    return sum(map(torch.numel, {parameter: None for parameter in module.parameters()}))


def init_weights(model):
    for name, tensor in sorted(model.named_parameters()):
        with torch.no_grad():
            if "ln_" in name:
                tensor.copy_(torch.full_like(tensor, 0.0 if name.endswith("bias") else 1.0))
            elif name.endswith("bias"):
                tensor *= 0
            else:
                spread = 0.02 / math.sqrt(2 * model.config.n_layers if ".c_proj." in name else 1)
                tensor.copy_(torch.normal(0.0, spread, tensor.shape, device=tensor.device))


def next_token_loss(logits, targets, ignore_index=-100):
    flat, goal = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    losses = nn.functional.cross_entropy(flat, goal, ignore_index=ignore_index, reduction="none")
    return losses.sum() / max(1, int(goal.ne(ignore_index).sum()))


def load_gpt2(model, state):
    plain = {}
    for key, value in state.items():
        if not key.endswith((".attn.bias", ".attn.masked_bias")):
            plain[key.replace("transformer.", "", 1)] = value.detach().clone()
    head = plain.pop("lm_head.weight", plain.get("wte.weight"))
    wanted = dict(model.named_parameters())
    odd = sorted(plain.keys() ^ wanted.keys())
    if odd:
        raise ValueError("these keys stand on one side only: %s" % odd)
    if head.tolist() != plain["wte.weight"].tolist():
        raise ValueError("lm_head.weight and wte.weight must be one")
    for key in plain:
        if key.endswith("weight") and ".c_" in key:
            plain[key] = torch.einsum("io->oi", plain[key])
    odd = [key for key in plain if plain[key].shape != wanted[key].shape]
    if odd:
        raise ValueError("other shapes: %s" % odd)
    with torch.no_grad():
        for key, tensor in wanted.items():
            tensor.set_(plain[key].to(tensor.dtype).contiguous())
