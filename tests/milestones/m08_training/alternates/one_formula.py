"""Unusual: the textbook's one formula for the step, NumPy's floats, corrections as float32 tensors, no helpers."""

import pickle
import random

import numpy as np
import torch
from torch import nn


class AdamW(object):
    def __init__(self, params_or_groups, lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1):
        params_or_groups = list(params_or_groups)
        if isinstance(params_or_groups[0], dict):
            self.param_groups = [dict(group) for group in params_or_groups]
        else:
            self.param_groups = [dict(params=params_or_groups)]
        for group in self.param_groups:
            group["params"] = list(group["params"])
            for name, value in (("lr", lr), ("betas", betas), ("eps", eps), ("weight_decay", weight_decay)):
                group.setdefault(name, value)
        self.moments = [[[0, None, None] for _ in group["params"]] for group in self.param_groups]

    def step(self):
        for group, moments in zip(self.param_groups, self.moments, strict=True):
            a, (b, c), e, wd = group["lr"], group["betas"], group["eps"], group["weight_decay"]
            for p, cell in zip(group["params"], moments, strict=True):
                if p.grad is None:
                    continue
                g = p.grad.detach()
                t = cell[0] + 1
                m = (1 - b) * g + (0 if t == 1 else b * cell[1])
                v = (1 - c) * g**2 + (0 if t == 1 else c * cell[2])
                cell[:] = [t, m, v]
                one, two = 1 - torch.tensor(b, device=g.device) ** t, 1 - torch.tensor(c, device=g.device) ** t
                p.data = p.data - a * ((m / one) / (torch.sqrt(v / two) + e) + wd * p.data)

    def zero_grad(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad = torch.zeros_like(p.grad)

    def state_dict(self):
        numbers = [[group[name] for name in ("lr", "betas", "eps", "weight_decay")] for group in self.param_groups]
        return {"numbers": numbers, "moments": [[list(cell) for cell in row] for row in self.moments]}

    def load_state_dict(self, state):
        if [len(row) for row in state["moments"]] != [len(row) for row in self.moments]:
            raise ValueError("another optimizer's state")
        for group, values in zip(self.param_groups, state["numbers"], strict=True):
            group["lr"], group["betas"], group["eps"], group["weight_decay"] = values
        self.moments = [[list(cell) for cell in row] for row in state["moments"]]


def decay_groups(model, weight_decay):
    groups = [{"params": [], "weight_decay": weight_decay}, {"params": [], "weight_decay": 0.0}]
    for p in model.parameters():
        if p.requires_grad:
            groups[p.dim() <= 1]["params"].append(p)
    return groups


def learning_rate(step, *, peak, floor, warmup, total):
    if warmup < 0 or warmup >= total:
        raise ValueError("warmup=%d, total=%d" % (warmup, total))
    if warmup and step <= warmup:
        return peak / warmup * step
    angle = np.pi * (min(step, total) - warmup) / (total - warmup)
    return 0.5 * (peak + floor) + 0.5 * (peak - floor) * np.cos(angle)


def clip_gradients(parameters, max_norm):
    grads = [p.grad for p in parameters]
    grads = [g for g in grads if g is not None]
    if not grads:
        return 0.0
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))
    if norm <= max_norm:
        return norm.item()
    for g in grads:
        g *= max_norm / (norm + 1e-6)
    return norm.item()


def train_step(model, optimizer, micro_batches, max_norm=None):
    counts = [int(targets.ne(-100).sum()) for _, targets in micro_batches]
    if sum(counts) == 0:
        raise ValueError("no target")
    model.train(True)
    optimizer.zero_grad()
    mean = 0.0
    for (inputs, targets), count in zip(micro_batches, counts, strict=True):
        if count == 0:
            continue
        loss = nn.CrossEntropyLoss()(model(inputs).permute(0, 2, 1), targets) * (count / sum(counts))
        loss.backward()
        mean += float(loss.detach())
        del loss
    if max_norm:
        clip_gradients(list(model.parameters()), max_norm)
    optimizer.step()
    return mean


def evaluate(model, batches):
    awake = [m for m in model.modules() if m.training]
    dice = torch.random.get_rng_state()
    losses = []
    try:
        model.train(False)
        for inputs, targets in batches:
            with torch.inference_mode():
                logs = torch.log_softmax(model(inputs).double(), dim=-1)
                for b in range(len(inputs)):
                    for t in range(inputs.shape[1]):
                        if targets[b, t] != -100:
                            losses.append(-logs[b, t, targets[b, t]].item())
    finally:
        for m in awake:
            m.training = True
        torch.random.set_rng_state(dice)
    if not losses:
        raise ValueError("nothing to measure")
    return np.mean(losses)


def save_checkpoint(path, model, optimizer, step):
    everything = model.state_dict(), optimizer.state_dict(), step, torch.get_rng_state(), random.getstate()
    with open(path, "wb") as file:
        pickle.dump(everything, file)


def load_checkpoint(path, model, optimizer):
    with open(path, "rb") as file:
        weights, state, step, dice, python = pickle.load(file)
    model.load_state_dict(weights)
    optimizer.load_state_dict(state)
    torch.set_rng_state(dice)
    random.setstate(python)
    return step


def train(
    model,
    optimizer,
    next_batch,
    *,
    steps,
    start=0,
    schedule=None,
    max_norm=1.0,
    accumulation=1,
    on_step=None,
):
    losses, done = [], start
    while len(losses) < steps:
        done += 1
        if schedule:
            lr = schedule(done)
            for group in optimizer.param_groups:
                group.update(lr=lr)
        micro = []
        for _ in range(accumulation):
            micro.append(next_batch())
        loss = train_step(model, optimizer, micro, max_norm)
        losses += [loss]
        if on_step:
            on_step(done, loss)
    return losses
