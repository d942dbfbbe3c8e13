"""Unusual: A and B are weights of two bias-free nn.Linear kept out of sight, and merging shifts by what was stored."""

import torch
from torch import nn


class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__()
        if rank < 1:
            raise ValueError("rank must be positive, got {}".format(rank))
        like = {"bias": False, "device": base.weight.device, "dtype": base.weight.dtype}
        down, up = nn.Linear(base.in_features, rank, **like), nn.Linear(rank, base.out_features, **like)
        nn.init.zeros_(up.weight)
        self.base, self.dropout = base, dropout
        self.lora_A, self.lora_B = down.weight, up.weight
        object.__setattr__(self, "pair", (down, up))  # hidden from torch, which so sees each weight once
        self.ratio = alpha / rank
        self.shift = None
        self.train(base.training)

    @property
    def merged(self):
        return self.shift is not None

    def forward(self, x):
        y = self.base(x)
        if self.merged:
            return y
        narrow = torch.matmul(nn.functional.dropout(x, self.dropout, self.training), self.lora_A.transpose(0, 1))
        return torch.add(y, torch.matmul(narrow, self.lora_B.transpose(0, 1)), alpha=self.ratio)

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            columns = [self.ratio * (self.lora_B * row).sum(1) for row in self.lora_A.T]
            self.shift = torch.stack(columns, dim=1)
            self.base.weight.add_(self.shift)

    @torch.no_grad()
    def unmerge(self):
        if self.merged:
            self.base.weight.sub_(self.shift)
            self.shift = None


def inject_lora(model, targets, rank, alpha, dropout=0.0):
    wanted = {target: 0 for target in targets}
    names, skip = {}, ()
    for name, module in model.named_modules():
        if skip and name.startswith(skip):
            continue
        kinds = [target for target in wanted if ("." + name).endswith("." + target)]
        if isinstance(module, LoRALinear):
            skip = (*skip, name + ".")
        elif isinstance(module, nn.Linear):
            if kinds:
                names[name] = module
        else:
            continue
        for target in kinds:
            wanted[target] += 1
    if not all(wanted.values()):
        raise ValueError(str([target for target, count in wanted.items() if count == 0]))
    for name, module in names.items():
        model.set_submodule(name, LoRALinear(module, rank, alpha, dropout))
    return list(names)


def _each(model):
    for name, layer in model.named_modules():
        if type(layer) is LoRALinear:
            for end in ("lora_A", "lora_B"):
                yield (name + "." if name else "") + end, layer, getattr(layer, end)


def freeze_base(model):
    model.requires_grad_(False)
    for _, _, parameter in _each(model):
        parameter.requires_grad = True


def lora_state_dict(model):
    with torch.no_grad():
        return {key: parameter + 0 for key, _, parameter in _each(model)}


def load_lora(model, state):
    found = {key: (layer, parameter) for key, layer, parameter in _each(model)}
    problems = [f"missing {key}" for key in found if key not in state]
    problems += [f"unknown {key}" for key in state if key not in found]
    problems += [f"shape of {key}" for key in found if key in state and state[key].shape != found[key][1].shape]
    problems += [f"merged {key}" for key, (layer, _) in found.items() if layer.merged]
    if problems:
        raise ValueError("; ".join(problems))
    with torch.no_grad():
        for key, value in state.items():
            found[key][1].set_(value.to(found[key][1].dtype).clone())
