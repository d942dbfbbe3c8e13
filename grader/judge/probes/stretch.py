"""What stretch goals measure, again and again in one worker. Trusted code, planted there."""

import torch


def again(count, function, *args, **kwargs):
    """Call a function so many times and return its last result."""
    for _ in range(count):
        result = function(*args, **kwargs)
    return result


def watched(count, model, *args):
    """Run a model so many times without gradients, and return the last result."""
    with torch.no_grad():
        return again(count, model, *args)


def learning(count, layer, x):
    """Run a layer forwards and backwards so many times; return the last result and the gradient of x."""
    x = x.requires_grad_()
    for _ in range(count):
        x.grad = None
        for parameter in layer.parameters():
            parameter.grad = None
        result = layer(x)
        result.square().mean().backward()
    return result.detach(), x.grad


def steps(count, model, loss, ids, targets):
    """Compute a model's loss and its gradients so many times; return the last loss."""
    for _ in range(count):
        for parameter in model.parameters():
            parameter.grad = None
        value = loss(model(ids), targets)
        value.backward()
    return value.detach()


def optimizer(parts, model, weight_decay, **numbers):
    """Return the student's AdamW for a model, with numbers of their own."""
    return parts["AdamW"](parts["decay_groups"](model, weight_decay), **numbers)
