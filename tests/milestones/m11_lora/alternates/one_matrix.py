"""Unusual: forward builds the whole matrix when nothing is dropped, merging keeps a backup, names are split at dots."""

import torch
import torch.nn.functional as F
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if not rank >= 1:
            raise ValueError("rank is %d" % rank)
        self.lora_B = nn.Parameter(torch.zeros_like(base.weight[:, :1]).repeat(1, rank))
        start = torch.empty((rank, base.weight.shape[1]), device=base.weight.device, dtype=base.weight.dtype)
        self.lora_A = nn.Parameter(start)
        nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)
        self.add_module("base", base)
        self.p, self.alpha, self.backup = dropout, alpha, None
        self.training = base.training

    @property
    def merged(self):
        return self.backup is not None

    def product(self):
        return self.lora_B.mm(self.lora_A) * (self.alpha / self.lora_A.shape[0])

    def forward(self, x):
        if self.merged:
            return self.base(x)
        if self.training and self.p > 0:
            return self.base(x) + F.linear(F.dropout(x, self.p), self.product())
        return F.linear(x, self.base.weight + self.product(), self.base.bias)

    def merge(self):
        if self.backup is None:
            self.backup = self.base.weight.detach().clone()
            self.base.weight.data += self.product().data

    def unmerge(self):
        if self.backup is not None:
            self.base.weight.data.copy_(self.backup)
            self.backup = None


def _fits(name, target):
    parts, wanted = name.split("."), target.split(".")
    return parts[-len(wanted) :] == wanted


def inject_lora(model, targets, rank, alpha, dropout=0.0):
    targets = tuple(targets)
    old = [name for name, module in model.named_modules() if isinstance(module, LoRALinear)]
    new = []
    for name, module in model.named_modules():
        inside = any(name.startswith(other + ".") for other in old)
        if isinstance(module, nn.Linear) and not inside and any(_fits(name, target) for target in targets):
            new.append(name)
    for target in targets:
        if not any(_fits(name, target) for name in old + new):
            raise ValueError("nothing fits %r" % target)
    for name in new:
        *path, last = name.split(".")
        parent = model.get_submodule(".".join(path))
        setattr(parent, last, LoRALinear(getattr(parent, last), rank, alpha, dropout))
    return new


def freeze_base(model):
    ours = {id(p) for m in model.modules() if isinstance(m, LoRALinear) for p in (m.lora_A, m.lora_B)}
    for parameter in model.parameters():
        parameter.requires_grad = id(parameter) in ours


def lora_state_dict(model):
    ours = {id(p) for m in model.modules() if isinstance(m, LoRALinear) for p in (m.lora_A, m.lora_B)}
    return {name: p.data.clone() for name, p in model.named_parameters() if id(p) in ours}


def load_lora(model, state):
    wanted = lora_state_dict(model)
    for key in [*wanted, *state]:
        if key not in state:
            raise ValueError(f"{key} is missing")
        if key not in wanted:
            raise ValueError(f"{key} is unknown")
        if wanted[key].shape != state[key].shape:
            raise ValueError(f"{key}: {wanted[key].shape} and {state[key].shape}")
    for name, module in model.named_modules():
        if isinstance(module, LoRALinear) and module.merged:
            raise ValueError(f"{name} is merged")
    model.load_state_dict(state, strict=False)
