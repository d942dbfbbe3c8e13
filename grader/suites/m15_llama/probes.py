"""What the checks of m15_llama need inside the worker: filling and listening to a student's model, and a cache."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def tensors(model):
    """Return a copy of everything in the model's state_dict, by name."""
    return {key: value.detach().clone() for key, value in model.state_dict().items()}


def fill(model, state):
    """Give a model the weights of `state`, in eval mode."""
    model.load_state_dict(state)
    return model.eval()


def fill_from_file(model, state):
    """Give a model the weights of a checkpoint as its file lays them out, in eval mode."""
    state = {key.removeprefix("model."): value for key, value in state.items()}
    state.setdefault("lm_head.weight", state["embed_tokens.weight"])
    return fill(model, state)


def on_meta(make, config):
    """Make a model that has shapes and no data; return the shape of each parameter, a shared one once."""
    with torch.device("meta"):
        model = make(config)
    return {name: list(parameter.shape) for name, parameter in model.named_parameters()}


def overwrite(model, name, value):
    """Change a part's weight in place, as an optimizer does."""
    with torch.no_grad():
        getattr(model, name).weight.copy_(value)


def to(model, dtype):
    """Turn a model into another dtype, as model.bfloat16() does."""
    return model.to(dtype)


class Cache:
    """A cache as m07's is, which can show what it holds."""

    def __init__(self, n_layers):
        self.layers: list[Any] = [None] * n_layers

    def __len__(self):
        return min(0 if layer is None else layer[0].shape[2] for layer in self.layers)

    def append(self, layer, key, value):
        """Add new tokens to a layer and return all of its keys and values, the oldest first."""
        held = self.layers[layer]
        new = key.clone(), value.clone()
        self.layers[layer] = (
            new if held is None else tuple(torch.cat(pair, dim=2) for pair in zip(held, new, strict=True))
        )
        return self.layers[layer]


def cache(n_layers):
    """Make an empty cache."""
    return Cache(n_layers)


def held(cache):
    """Return the keys and values of each layer; None for one to which nothing was appended."""
    return [layer and [part.detach() for part in layer] for layer in cache.layers]


class Lookups(TorchDispatchMode):
    """Count how many vectors are made of a table, whether by its module, by F.embedding or by an index."""

    def __init__(self, table):
        super().__init__()
        self.table, self.width, self.count = table.untyped_storage().data_ptr(), table.shape[-1], 0

    def reads(self, value):
        """Say whether a value is the table or a view of it."""
        return isinstance(value, torch.Tensor) and value.untyped_storage().data_ptr() == self.table

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        """Run an operation, and count what it made of the table."""
        result = op(*args, **(kwargs or {}))
        if any(map(self.reads, args)) and isinstance(result, torch.Tensor) and not self.reads(result):
            self.count += result.numel() // self.width
        return result


def embedded(model, function, *args):
    """Call a function; return its result and how many vectors it looked up among the embedded ids."""
    with Lookups(model.embed_tokens.weight) as lookups:
        return {"result": function(*args), "count": lookups.count}


def requires_grad(run, model, ids, cache):
    """Say which of the logits and of what is cached hang on a graph."""
    result = run(model, ids, cache)
    return {
        "the logits": result.requires_grad,
        "what is cached": any(part.requires_grad for layer in cache.layers if layer for part in layer),
    }


def train(model, ids, targets, rate):
    """Take a step of AdamW for each batch, on the targets that are not negative."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    for batch, wanted in zip(ids, targets, strict=True):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(batch).flatten(0, 1), wanted.flatten(), ignore_index=-1)
        loss.backward()
        optimizer.step()
