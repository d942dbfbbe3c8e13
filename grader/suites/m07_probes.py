"""Trusted code that the checks of m07_generation plant in the worker. What it reports is a claim."""

import torch
from torch import nn


class Scripted(nn.Module):
    """A language model whose logits the judge decides: `answer(ids, modes, with_grad)`, with each module's mode."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.inner = answer, nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, ids):
        """(batch, seq) to (batch, seq, vocab_size)."""
        return self.answer(ids, modes(self), torch.is_grad_enabled()) + self.weight


def scripted(answer):
    """Return a scripted model."""
    return Scripted(answer)


def modes(model):
    """Return for every module of a model whether it is in training mode."""
    return [module.training for module in model.modules()]


def generator(seed):
    """Return a generator with this seed."""
    return torch.Generator().manual_seed(seed)


def dice():
    """Return the state of torch's own generator."""
    return torch.random.get_rng_state()


def append_and_scribble(cache, layer, key, value):
    """Append to a cache, then write over the tensors that were handed in."""
    key, value = key.clone(), value.clone()
    cache.append(layer, key, value)
    key.fill_(1e6)
    value.fill_(1e6)


def requires_grad(forward, model, ids, cache):
    """Run a model that wants gradients; return whether the logits, or what the cache hands out, hang on a graph."""
    with torch.enable_grad():
        logits = forward(model, ids, cache)
        heads = model.h[0].attn.n_heads
        nothing = torch.zeros(len(ids), heads, 0, model.wpe.weight.shape[1] // heads)
        kept = cache.append(0, nothing, nothing)
    return {"the logits": logits.requires_grad, "what is cached": any(part.requires_grad for part in kept)}


class Bound(nn.Module):
    """`forward_cached` with its model and cache, as one module of ids."""

    def __init__(self, forward, model, cache):
        super().__init__()
        self.run, self.model, self.cache = forward, model, cache

    def forward(self, ids):
        """(batch, new) to (batch, new, vocab_size)."""
        return self.run(self.model, ids, self.cache)


def bound(forward, model, cache):
    """Return such a module."""
    return Bound(forward, model, cache)
