"""Trusted code that the checks of m13_quantization plant in the worker. What it reports is a claim."""

import torch
from torch import nn


def linear(weight, bias=None):
    """Return a linear layer with these weights."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    return layer


def state(module):
    """Return a module's state."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def wanting(module):
    """Return the names of what a module keeps that wants gradients."""
    return [name for name, value in module.state_dict(keep_vars=True).items() if value.requires_grad]


class Tree(nn.Module):
    """Linear layers at several depths, an embedding, and a head that may be tied to it."""

    def __init__(self, d, vocab_size, tied):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, d)
        self.first = nn.Linear(d, d)
        self.h = nn.ModuleList(nn.Sequential(nn.Linear(d, d, bias=n % 2 == 0), nn.Tanh()) for n in range(12))
        self.parts = nn.ModuleDict({"deep": nn.Sequential(nn.Sequential(nn.Linear(d, d)), nn.LayerNorm(d))})
        self.lm_head = nn.Linear(d, vocab_size, bias=False)
        if tied:
            self.lm_head.weight = self.wte.weight

    def forward(self, ids):
        """(batch, seq) to (batch, seq, vocab_size)."""
        x = self.first(self.wte(ids))
        for layer in self.h:
            x = layer(x) + x
        return self.lm_head(self.parts["deep"](x))


def tree(d, vocab_size, tied=True):
    """Return a tree."""
    return Tree(d, vocab_size, tied)


def layers(module):
    """Return the names of the linear layers that a module has, its own class left out."""
    return [name for name, part in module.named_modules() if name and isinstance(part, nn.Linear)]


def is_tied(module):
    """Return whether the head still shares the embedding's weight."""
    return module.lm_head.weight is module.wte.weight


class Mixed(nn.Module):
    """Parameters and buffers of several dtypes, some of which stand in two places."""

    def __init__(self, sizes):
        super().__init__()
        a, b, c, d = sizes
        self.one = nn.Parameter(torch.zeros(a, 3))
        self.narrow = nn.Parameter(torch.zeros(b, dtype=torch.bfloat16), requires_grad=False)
        small = torch.zeros(c, 5, dtype=torch.int8)
        self.register_buffer("small", small)
        self.register_buffer("unsaved", torch.zeros(d, dtype=torch.float64), persistent=False)
        self.inner = nn.Module()
        self.inner.same = self.one
        self.inner.register_buffer("same_buffer", small)


def mixed(sizes):
    """Return a module with tensors of these sizes."""
    return Mixed(sizes)


def held(module):
    """Return the bytes of each tensor that a module and its parts hold, hidden attributes too; each tensor once."""
    found, seen = {}, set()

    def look(value):
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            found[id(value)] = value.numel() * value.element_size()
        elif isinstance(value, nn.Module):
            look(vars(value))
        elif isinstance(value, dict):
            for part in list(value.values()):
                look(part)
        elif isinstance(value, (list, tuple, set)):
            for part in list(value):
                look(part)

    look(module)
    return list(found.values())
