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


def scribbled(generate, model, ids):
    """Generate no token at all and write over the text; return what the prompt is then."""
    ids = ids.clone()
    text = generate(model, ids, 0)
    with torch.inference_mode():  # where the text of a submission that generates in it can be written over as well
        text.fill_(-1)
    return ids


def requires_grad(forward, model, ids, cache):
    """Run a model that wants gradients; return whether the logits, or what the cache hands out, hang on a graph."""
    with torch.enable_grad():
        logits = forward(model, ids, cache)
        heads = model.h[0].attn.n_heads
        nothing = torch.zeros(len(ids), heads, 0, model.wpe.weight.shape[1] // heads)
        kept = cache.append(0, nothing, nothing)
    return {"the logits": logits.requires_grad, "what is cached": any(part.requires_grad for part in kept)}


def mix_up(function, *args):
    """Call a function with modules and tensors moved to the device "meta"; return a complaint of a mix-up."""
    moved = [arg.to("meta") if isinstance(arg, torch.Tensor | nn.Module) else arg for arg in args]
    try:
        function(*moved)
    except Exception as error:
        return str(error) if "expected device" in str(error) or "same device" in str(error) else ""
    return ""


def called_parts(forward, model, ids, cache):
    """Run a pass; return how often each part of the model that the contract lists was called."""
    names = ["wte", "ln_f", "lm_head"]
    for layer in range(len(model.h)):
        names += [f"h.{layer}.{part}" for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp")]
    calls = dict.fromkeys(names, 0)

    def counting(name):
        def hook(*_):
            calls[name] += 1

        return hook

    hooks = [model.get_submodule(name).register_forward_hook(counting(name)) for name in names]
    try:
        forward(model, ids, cache)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def seed(number):
    """Seed torch's own generator."""
    torch.manual_seed(number)
