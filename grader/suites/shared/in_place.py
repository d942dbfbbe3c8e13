"""Whether what changes a model changes its own tensors, and no others: planted in a worker, with torch alone."""

import torch


def replaced(change, model, *args):
    """Change a model's weights by a function; return the names of parameters that are not the ones from before."""
    before = dict(model.named_parameters())
    change(model, *args)
    return [name for name, parameter in model.named_parameters() if before.get(name) is not parameter]


def zeroed_afterwards(load, model, state):
    """Load `state`, set everything in the model to 0 in place, and return what `state` then holds."""
    load(model, state)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.zero_()
    return state
