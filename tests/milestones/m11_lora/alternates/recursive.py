"""Unusual: a recursive walk over children, einsum with the scale folded into A's side, and a buffer for the flag."""

import math

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        if rank <= 0:
            raise ValueError(f"{rank=}")
        super().__init__()
        options = dict(device=base.weight.device, dtype=base.weight.dtype)
        bound = math.sqrt(3 / base.in_features)
        self.lora_A = nn.Parameter((torch.rand(rank, base.in_features, **options) * 2 - 1) * bound)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank, **options))
        self.base = base
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()
        self.factor = alpha / rank
        self.register_buffer("flag", torch.zeros((), dtype=torch.bool), persistent=False)
        if not base.training:
            self.eval()

    @property
    def merged(self):
        return bool(self.flag)

    def forward(self, x):
        out = self.base(x)
        if not self.merged:
            scaled = torch.einsum("...i,ri->...r", self.drop(x), self.lora_A) * self.factor
            out = out + torch.einsum("...r,or->...o", scaled, self.lora_B)
        return out

    def merge(self):
        if self.merged:
            return
        with torch.no_grad():
            self.base.weight.addmm_(self.lora_B, self.lora_A, alpha=self.factor)
            self.flag.fill_(True)

    def unmerge(self):
        if not self.merged:
            return
        with torch.no_grad():
            self.base.weight.addmm_(self.lora_B, self.lora_A, alpha=-self.factor)
            self.flag.fill_(False)


def _walk(module, path=()):
    """Yield (parent, attribute, dotted name, child), and do not go into adapters."""
    for attribute, child in module.named_children():
        yield module, attribute, ".".join((*path, attribute)), child
        if not isinstance(child, LoRALinear):
            yield from _walk(child, (*path, attribute))


def inject_lora(model, targets, rank, alpha, dropout=0.0):
    targets, places = list(targets), list(_walk(model))
    fits = lambda name, target: name == target or name.endswith("." + target)  # noqa: E731
    layers = [place for place in places if isinstance(place[3], (nn.Linear, LoRALinear))]
    for target in targets:
        if not any(fits(name, target) for _, _, name, _ in layers):
            raise ValueError(target)
    chosen = [
        place
        for place in layers
        if type(place[3]) is not LoRALinear and any(fits(place[2], target) for target in targets)
    ]
    for parent, attribute, _, child in chosen:
        parent._modules[attribute] = LoRALinear(child, rank, alpha, dropout)
    return [name for _, _, name, _ in chosen]


def _layers(model):
    found = [("", model)] if isinstance(model, LoRALinear) else []
    return found + [(name + ".", child) for _, _, name, child in _walk(model) if isinstance(child, LoRALinear)]


def freeze_base(model):
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for _, layer in _layers(model):
        layer.lora_A.requires_grad_()
        layer.lora_B.requires_grad_()


def lora_state_dict(model):
    state = {}
    for prefix, layer in _layers(model):
        state[prefix + "lora_B"] = torch.clone(layer.lora_B.detach())
        state[prefix + "lora_A"] = torch.clone(layer.lora_A.detach())
    return state


def load_lora(model, state):
    rest, todo = dict(state), []
    for prefix, layer in _layers(model):
        if layer.merged:
            raise ValueError("merged: " + prefix)
        for end in ("lora_A", "lora_B"):
            if prefix + end not in rest:
                raise ValueError("missing: " + prefix + end)
            value, own = rest.pop(prefix + end), getattr(layer, end)
            if value.size() != own.size():
                raise ValueError(prefix + end + " has another shape")
            todo.append((own, value))
    if rest:
        raise ValueError("unknown: " + ", ".join(rest))
    for own, value in todo:
        own.data = value.to(own).clone()
