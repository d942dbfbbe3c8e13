"""Unusual: gradients by autograd.grad, lerp and addcdiv, running products for the corrections, a schedule by pieces."""

import contextlib
import math
import random
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F


@dataclass
class Cell:
    """What is known of one parameter; p1 and p2 are the powers of the betas so far."""

    m: torch.Tensor
    v: torch.Tensor
    p1: float = 1.0
    p2: float = 1.0


class AdamW:
    def __init__(self, params_or_groups, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
        first, *rest = params_or_groups
        groups = [first, *rest] if isinstance(first, dict) else [{"params": [first, *rest]}]
        defaults = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        self.param_groups = []
        for group in groups:
            self.param_groups.append({**defaults, **group, "params": [*group["params"]]})
        self.cells = {}

    def __iter__(self):
        for g, group in enumerate(self.param_groups):
            for i, p in enumerate(group["params"]):
                yield (g, i), group, p

    def step(self):
        with torch.no_grad():
            for place, group, p in self:
                if p.grad is not None:
                    cell = self.cells.setdefault(place, Cell(torch.zeros_like(p), torch.zeros_like(p)))
                    b1, b2 = group["betas"]
                    cell.m.lerp_(p.grad, 1 - b1)
                    cell.v.lerp_(p.grad * p.grad, 1 - b2)
                    cell.p1, cell.p2 = cell.p1 * b1, cell.p2 * b2
                    denominator = cell.v.div(1 - cell.p2).sqrt_().add_(group["eps"])
                    p -= group["lr"] * group["weight_decay"] * p
                    p.addcdiv_(cell.m, denominator, value=-group["lr"] / (1 - cell.p1))

    def zero_grad(self):
        for _, _, p in self:
            p.grad = None

    def state_dict(self):
        cells = {"%d %d" % place: asdict(cell) for place, cell in self.cells.items()}
        groups = [{**group, "params": len(group["params"])} for group in self.param_groups]
        return {"cells": cells, "groups": groups}

    def load_state_dict(self, state):
        if [len(group["params"]) for group in self.param_groups] != [group["params"] for group in state["groups"]]:
            raise ValueError("these are not the same parameters")
        for mine, theirs in zip(self.param_groups, state["groups"], strict=True):
            for name in theirs.keys() - {"params"}:
                mine[name] = theirs[name]
        self.cells = {}
        for place, cell in state["cells"].items():
            g, i = map(int, place.split())
            self.cells[g, i] = Cell(cell["m"].clone(), cell["v"].clone(), cell["p1"], cell["p2"])


def decay_groups(model, weight_decay):
    seen = {id(p): p for _, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}
    return [
        dict(params=[p for p in seen.values() if len(p.shape) > 1], weight_decay=weight_decay),
        dict(params=[p for p in seen.values() if len(p.shape) <= 1], weight_decay=0.0),
    ]


def learning_rate(step, *, peak, floor, warmup, total):
    if not (warmup >= 0 and total > warmup):
        raise ValueError(f"{warmup=} {total=}")
    up = step / warmup if warmup else 1.0
    down = math.cos(math.pi / 2 * min(max((step - warmup) / (total - warmup), 0.0), 1.0)) ** 2
    return min(up * peak, floor + (peak - floor) * down) if step < warmup else floor + (peak - floor) * down


def clip_gradients(parameters, max_norm):
    grads = [p.grad for p in parameters if p.grad is not None]
    norm = math.hypot(*(g.norm().item() for g in grads))
    factor = min(max_norm / norm, 1.0) if norm else 1.0
    for g in grads:
        g.copy_(g * factor)
    return norm


def nll(model, inputs, targets):
    keep = targets >= 0
    return F.cross_entropy(model(inputs)[keep], targets[keep], reduction="sum"), keep.sum().item()


def train_step(model, optimizer, micro_batches, max_norm=None):
    for module in model.modules():
        module.training = True
    parameters = [p for p in model.parameters() if p.requires_grad]
    total, count, sums = 0.0, 0, [0.0] * len(parameters)
    for inputs, targets in micro_batches:
        loss, n = nll(model, inputs, targets)
        grads = torch.autograd.grad(loss, parameters, allow_unused=True)
        sums = [s if g is None else s + g for s, g in zip(sums, grads, strict=True)]
        total, count = total + loss.item(), count + n
        del loss, grads
    if not count:
        raise ValueError("nothing to learn")
    for p, s in zip(parameters, sums, strict=True):
        p.grad = s / count if isinstance(s, torch.Tensor) else None
    if max_norm is not None:
        clip_gradients(iter(parameters), max_norm)
    optimizer.step()
    return total / count


@contextlib.contextmanager
def undisturbed(model):
    modes = [(m, m.training) for m in model.modules()]
    with torch.random.fork_rng(), torch.no_grad():
        try:
            yield model.eval()
        finally:
            for m, mode in modes:
                m.training = mode


def evaluate(model, batches):
    with undisturbed(model):
        sums, counts = zip(*((loss.item(), n) for loss, n in (nll(model, *batch) for batch in batches)), strict=True)
    if sum(counts) == 0:
        raise ValueError("nothing to measure")
    return sum(sums) / sum(counts)


def save_checkpoint(path, model, optimizer, step):
    torch.save([model.state_dict(), optimizer.state_dict(), step, torch.get_rng_state(), random.getstate()], path)


def load_checkpoint(path, model, optimizer):
    weights, state, step, torchs, pythons = torch.load(path, weights_only=False)
    model.load_state_dict(weights)
    optimizer.load_state_dict(state)
    torch.set_rng_state(torchs)
    random.setstate(pythons)
    return step


def train(
    model, optimizer, next_batch, *, steps, start=0, schedule=None, max_norm=1.0, accumulation=1, on_step=None
):  # fmt: skip
    def one(number):
        for group in optimizer.param_groups if schedule else ():
            group["lr"] = rates[number]
        loss = train_step(model, optimizer, [next_batch() for _ in range(accumulation)], max_norm)
        (on_step or (lambda *_: None))(number, loss)
        return loss

    numbers = [start + 1 + n for n in range(steps)]
    rates = {number: schedule(number) for number in numbers} if schedule else {}
    return [one(number) for number in numbers]
