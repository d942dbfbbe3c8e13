"""Unusual: state under the names that torch gives it, a loss by gather, a zip as checkpoint, nested helpers."""

import io
import itertools
import math
import random
import zipfile
from collections import defaultdict
from copy import deepcopy

import torch


class AdamW:
    DEFAULTS = ("lr", "betas", "eps", "weight_decay")

    def __init__(self, params_or_groups, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
        self.state = defaultdict(dict)
        self.param_groups = []
        for is_dict, items in itertools.groupby(params_or_groups, key=lambda item: isinstance(item, dict)):
            for group in items if is_dict else [{"params": list(items)}]:
                numbers = dict(zip(self.DEFAULTS, (lr, betas, eps, weight_decay), strict=True))
                numbers.update(group)
                numbers["params"] = list(numbers["params"])
                self.param_groups.append(numbers)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in filter(lambda p: p.grad is not None, group["params"]):
                state = self.state[p]
                if not state:
                    state.update(step=torch.tensor(0.0, dtype=torch.float64))
                    state.update(exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
                state["step"] += 1
                t = state["step"].item()
                state["exp_avg"] = beta1 * state["exp_avg"] + (1 - beta1) * p.grad
                state["exp_avg_sq"] = beta2 * state["exp_avg_sq"] + (1 - beta2) * p.grad.pow(2)
                size = group["lr"] * math.sqrt(1 - beta2**t) / (1 - beta1**t)
                root = state["exp_avg_sq"].sqrt() + group["eps"] * math.sqrt(1 - beta2**t)
                p.copy_(p * (1 - group["lr"] * group["weight_decay"]) - size * state["exp_avg"] / root)

    def zero_grad(self, set_to_none=True):
        for p in itertools.chain.from_iterable(group["params"] for group in self.param_groups):
            if set_to_none:
                p.grad = None
            elif p.grad is not None:
                p.grad.zero_()

    def state_dict(self):
        index = {p: n for n, p in enumerate(p for group in self.param_groups for p in group["params"])}
        packed = [{**group, "params": [index[p] for p in group["params"]]} for group in self.param_groups]
        return deepcopy({"state": {index[p]: state for p, state in self.state.items()}, "param_groups": packed})

    def load_state_dict(self, state):
        state = deepcopy(state)
        for own, group in itertools.zip_longest(self.param_groups, state["param_groups"]):
            if own is None or group is None or len(own["params"]) != len(group["params"]):
                raise ValueError("loaded state dict has other parameter groups")
        self.state.clear()
        for own, group in zip(self.param_groups, state["param_groups"], strict=True):
            for p, n in zip(own["params"], group.pop("params"), strict=True):
                if n in state["state"]:
                    self.state[p] = state["state"][n]
            own.update(group)


def decay_groups(model, weight_decay):
    def group(decays):
        chosen = [p for p in model.parameters() if p.requires_grad and (p.ndim > 1) is decays]
        return {"params": chosen, "weight_decay": weight_decay if decays else 0.0}

    return [group(decays) for decays in (True, False)]


def learning_rate(step, *, peak, floor, warmup, total):
    if warmup < 0 or total - warmup <= 0:
        raise ValueError("warmup %s, total %s" % (warmup, total))
    for end, rate in (
        (warmup - 1, lambda: peak * (step / warmup)),
        (total, lambda: floor + (peak - floor) * math.sin(math.pi / 2 * (total - step) / (total - warmup)) ** 2),
    ):
        if step <= end:
            return rate()
    return floor


def clip_gradients(parameters, max_norm):
    squares, todo = 0.0, []
    for parameter in parameters:
        if parameter.grad is not None:
            squares += (parameter.grad**2).sum().item()
            todo.append(parameter)
    norm = squares**0.5
    if norm > max_norm:
        for parameter in todo:
            parameter.grad = parameter.grad / norm * max_norm
    return norm


def _loss(model, inputs, targets):
    logits = model(inputs)
    logs = logits - torch.logsumexp(logits, -1, keepdim=True)
    picked = logs.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -torch.where(targets == -100, torch.zeros_like(picked), picked).sum()


def train_step(model, optimizer, micro_batches, max_norm=None):
    n = torch.cat([targets.flatten() for _, targets in micro_batches]).not_equal(-100).sum().item()
    if n == 0:
        raise ValueError("all targets are ignored")
    model.train()
    for parameter in model.parameters():
        parameter.grad = None

    def one(batch):
        loss = _loss(model, *batch)
        loss.backward()
        return loss.item()

    total = sum(map(one, micro_batches))
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad /= n
    if max_norm is not None:
        clip_gradients(model.parameters(), max_norm)
    optimizer.step()
    optimizer.zero_grad()
    return total / n


@torch.no_grad()
def evaluate(model, batches):
    dice, modes = torch.get_rng_state(), {name: module.training for name, module in model.named_modules()}
    try:
        model.eval()
        pairs = [(_loss(model, x, y).item(), (y != -100).sum().item()) for x, y in batches]
    finally:
        for name, module in model.named_modules():
            module.training = modes[name]
        torch.set_rng_state(dice)
    total, count = map(sum, zip(*pairs, strict=True))
    if count == 0:
        raise ValueError("all targets are ignored")
    return total / count


PARTS = ("weights", "optimizer", "step", "torch", "python")


def save_checkpoint(path, model, optimizer, step):
    values = model.state_dict(), optimizer.state_dict(), step, torch.get_rng_state(), random.getstate()
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in zip(PARTS, values, strict=True):
            buffer = io.BytesIO()
            torch.save(value, buffer)
            archive.writestr(name, buffer.getvalue())


def load_checkpoint(path, model, optimizer):
    with zipfile.ZipFile(path) as archive:
        values = {name: torch.load(io.BytesIO(archive.read(name)), weights_only=True) for name in PARTS}
    model.load_state_dict(values["weights"])
    optimizer.load_state_dict(values["optimizer"])
    random.setstate(values["python"])
    torch.set_rng_state(values["torch"])
    return values["step"]


def train(model, optimizer, next_batch, **options):
    steps, start = options.pop("steps"), options.pop("start", 0)
    schedule, tell = options.pop("schedule", None), options.pop("on_step", None)
    accumulation, max_norm = options.pop("accumulation", 1), options.pop("max_norm", 1.0)
    losses = []
    for step in itertools.islice(itertools.count(start + 1), steps):
        if schedule is not None:
            new = schedule(step)
            optimizer.param_groups[:] = [{**group, "lr": new} for group in optimizer.param_groups]
        batches = list(itertools.islice(iter(next_batch, None), accumulation))
        losses.append(train_step(model, optimizer, batches, max_norm=max_norm))
        if tell is not None:
            tell(step, losses[-1])
    return losses
