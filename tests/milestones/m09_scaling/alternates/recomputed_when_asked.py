"""Unusual: a checkpoint by hooks on what autograd saves, hooks in place of functions, torch's own AdamW on slices."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn


class LossScaler:
    def __init__(self, init_scale=2.0**16, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000):
        self.scale = float(init_scale)
        self.factors = {True: growth_factor, False: backoff_factor}
        self.interval, self.streak, self.overflow = growth_interval, 0, False

    def unscale_(self, params):
        self.overflow = False
        for param in params:
            if param.grad is not None:
                param.grad.divide_(self.scale)
                self.overflow = self.overflow or not torch.isfinite(param.grad).all().item()
        return not self.overflow

    def step(self, optimizer):
        if self.overflow:
            return False
        optimizer.step()
        return True

    def update(self):
        self.streak = 0 if self.overflow else self.streak + 1
        if self.overflow or self.streak == self.interval:
            self.scale *= self.factors[not self.overflow]
            self.streak = 0


def mixed_loss(layers, x, targets, dtype):
    for layer in layers:
        if not isinstance(layer, nn.Linear):
            x = layer(x.to(torch.float32))
            continue
        x = x.to(dtype) @ layer.weight.to(dtype).mT
        if layer.bias is not None:
            x = x + layer.bias.to(dtype)
    return -x.float().log_softmax(-1).gather(1, targets[:, None]).mean()


@torch.no_grad()
def master_step(master, grads, lr):
    return [weight.sub_(grad.float(), alpha=lr).to(grad.dtype) for weight, grad in zip(master, grads, strict=False)]


def checkpoint(function, *args):
    state, kept = torch.get_rng_state(), {}
    counter = itertools.count()

    def pack(_):
        return next(counter)

    def unpack(number):
        if not kept:
            again = itertools.count()

            def keep(tensor):
                kept[next(again)] = tensor.detach()
                return None

            now = torch.get_rng_state()
            torch.set_rng_state(state)
            with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda _: None):
                function(*args)
            torch.set_rng_state(now)
        return kept[number]

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        return function(*args)


def make_buckets(sizes, first_cap, cap):
    buckets, current, total, limit = [], [], 0, first_cap
    for i in range(len(sizes)):
        current.append(i)
        total += sizes[i]
        if total >= limit:
            buckets.append(current)
            current, total, limit = [], 0, cap
    if current:
        buckets.append(current)
    return buckets


def average_gradients(params, buckets, group):
    for bucket in buckets:
        for i in bucket:
            if params[i].grad is None:
                params[i].grad = torch.zeros_like(params[i])
        flat = nn.utils.parameters_to_vector([params[i].grad for i in bucket])
        nn.utils.vector_to_parameters(group.all_reduce(flat).div_(group.world), [params[i].grad for i in bucket])


def shard(n, rank, world):
    bounds = [0]
    for r in range(world):
        bounds.append(bounds[-1] + (n + world - 1 - r) // world)
    return range(bounds[rank], bounds[rank + 1])


def share_start(model, group):
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        tensor.data.copy_(group.broadcast(tensor.data, 0))


def data_parallel_step(model, loss, x, targets, optimizer, group, max_norm):
    """One sum holds the gradient, the loss and the number of rows."""
    optimizer.zero_grad()
    mean = loss(model, x, targets)
    mean.backward()
    params = [p for p in model.parameters() if p.requires_grad]
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
    row = torch.cat([*(grad.reshape(-1) for grad in grads), mean.detach().reshape(1), torch.ones(1, device=x.device)])
    row = group.all_reduce(row * len(x))
    row = row / row[-1]
    norm = torch.linalg.vector_norm(row[:-2])
    start = 0
    for p in params:
        piece = row[start : start + p.numel()].view_as(p)
        p.grad = piece * min(1.0, max_norm / (float(norm) + 1e-6))
        start += p.numel()
    optimizer.step()
    return row[-2].item()


class ShardedAdamW:
    def __init__(self, params, group, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.params, self.group = [*params], group
        self.slices = []
        for p in self.params:
            own = shard(p.numel(), group.rank, group.world)
            self.slices.append(slice(own.start, own.stop))
        pairs = zip(self.params, self.slices, strict=True)
        self.own = [nn.Parameter(p.detach().reshape(-1)[s].clone()) for p, s in pairs]
        self.inner = torch.optim.AdamW(self.own, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=False)

    def zero_grad(self, set_to_none=True):
        for p in self.params:
            p.grad = None

    def step(self):
        for p, own, s in zip(self.params, self.own, self.slices, strict=False):
            own.grad = None if p.grad is None else p.grad.reshape(-1)[s].clone()
        self.inner.step()
        for p, own in zip(self.params, self.own, strict=False):
            if p.grad is None:
                continue
            longest = -(-p.numel() // self.group.world)  # all_gather wants one shape of all
            padded = F.pad(own.detach(), (0, longest - own.numel()))
            parts = self.group.all_gather(padded)
            whole = [part[: len(shard(p.numel(), rank, self.group.world))] for rank, part in enumerate(parts)]
            p.data.copy_(torch.cat(whole).view_as(p))


class ColumnParallelLinear(nn.Module):
    def __init__(self, linear, group, parts=1):
        super().__init__()
        self.group = group

        def cut(whole):
            size = whole.shape[0] // parts
            own = shard(size, group.rank, group.world)
            pieces = whole.detach().split(size)
            return nn.Parameter(torch.cat([piece[own.start : own.stop] for piece in pieces]).clone())

        self.weight = cut(linear.weight)
        self.bias = cut(linear.bias) if linear.bias is not None else None

    def forward(self, x):
        if torch.is_grad_enabled() and x.requires_grad:
            x = x.clone()
            x.register_hook(lambda grad: self.group.all_reduce(grad))
        return F.linear(x, self.weight, self.bias)


class RowParallelLinear(nn.Module):
    def __init__(self, linear, group):
        super().__init__()
        self.group = group
        own = shard(linear.in_features, group.rank, group.world)
        self.weight = nn.Parameter(linear.weight.detach()[:, own.start : own.stop].clone())
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())

    def forward(self, x):
        partial = F.linear(x, self.weight)
        whole = partial + (self.group.all_reduce(partial.detach()) - partial).detach()
        return whole if self.bias is None else whole + self.bias


def ring_all_reduce(x, group):
    rank, world = group.rank, group.world
    pieces = list(x.detach().clone().reshape(-1).tensor_split(world))
    for s in range(2 * world - 2):
        outgoing = (rank - s) % world if s < world - 1 else (rank + 1 - (s - world + 1)) % world
        incoming = (outgoing - 1) % world
        group.send(pieces[outgoing], (rank + 1) % world)
        got = group.recv(torch.empty_like(pieces[incoming]), (rank - 1) % world)
        pieces[incoming] = got + pieces[incoming] if s < world - 1 else got
    return torch.cat(pieces).reshape(x.shape)
