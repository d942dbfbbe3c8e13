"""The submission's own GPT, where it has a right one: planted in a worker to find it, with torch and nothing else."""

import importlib

import torch
import torch.nn.functional as F


def own_gpt(trusted, sizes, start, ids):
    """Return the submission's own GPT with these weights where it gives the trusted one's logits and gradients.

    Otherwise the trusted one.
    """
    try:
        module = importlib.import_module("exercises.m06_gpt")
        own = module.GPT(module.GPTConfig(**sizes))
        own.load_state_dict({"lm_head.weight": start["wte.weight"], **start})
        found, expected = _learned_from(own.eval(), ids), _learned_from(trusted, ids)
        same = found.keys() == expected.keys() and all(
            torch.allclose(found[name], expected[name], rtol=1e-2, atol=1e-4) for name in expected
        )
    except (Exception, SystemExit):
        same = False
    return own if same else trusted


def _learned_from(gpt, ids):
    """Return a model's logits and all its gradients, and leave none behind."""
    logits = gpt(ids)
    F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    found = {name: parameter.grad for name, parameter in gpt.named_parameters()} | {"": logits.detach()}
    gpt.zero_grad()
    return found
