"""Unusual: generators and closures, gradients in one long row, layers that inherit from nn.Linear, a class of data."""

from dataclasses import dataclass, field
from functools import reduce
from itertools import accumulate, pairwise

import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear


@dataclass
class LossScaler:
    init_scale: float = 65536.0
    growth_factor: float = 2.0
    backoff_factor: float = 0.5
    growth_interval: int = 2000
    scale: float = field(init=False)
    history: list = field(default_factory=list)

    def __post_init__(self):
        self.scale = float(self.init_scale)

    def unscale_(self, params):
        grads = [grad for param in params if (grad := param.grad) is not None]
        for grad in grads:
            grad.div_(self.scale)
        self.history.append(bool(torch.stack([grad.isfinite().all() for grad in grads]).all()))
        return self.history[-1]

    def step(self, optimizer):
        self.history[-1] and optimizer.step()
        return self.history[-1]

    def update(self):
        if not self.history[-1]:
            self.scale, self.history = self.scale * self.backoff_factor, []
        elif len(self.history) == self.growth_interval:
            self.scale, self.history = self.scale * self.growth_factor, []


def mixed_loss(layers, x, targets, dtype):
    def run(x, layer):
        if not isinstance(layer, nn.Linear):
            return layer(x.float())
        half = [None if part is None else part.to(dtype) for part in (x, layer.weight, layer.bias)]
        return linear(*half)

    return cross_entropy(reduce(run, layers, x).float(), targets)


def master_step(master, grads, lr):
    def moved(weight, grad):
        weight.requires_grad_(False).add_(grad.to(torch.float32).mul(-lr))
        return weight.to(grad.dtype, copy=True)

    return list(map(moved, master, grads))


class _Replay:
    """Puts the dice where they were, and afterwards back."""

    def __init__(self):
        self.state = torch.get_rng_state()

    def __enter__(self):
        self.before = torch.get_rng_state()
        torch.set_rng_state(self.state)

    def __exit__(self, *_):
        torch.set_rng_state(self.before)


def checkpoint(function, *args):
    tensors = [place for place, arg in enumerate(args) if isinstance(arg, torch.Tensor)]

    class Run(torch.autograd.Function):
        @staticmethod
        def forward(ctx, _, *given):
            ctx.replay = _Replay()
            ctx.save_for_backward(*given)
            return function(*args)

        @staticmethod
        def backward(ctx, grad):
            again = list(args)
            for place, tensor in zip(tensors, ctx.saved_tensors, strict=False):
                again[place] = tensor.detach().requires_grad_(tensor.requires_grad)
            with torch.enable_grad(), ctx.replay:
                out = function(*again)
                if out.requires_grad:
                    torch.autograd.backward([out], [grad])
            return (None, *(again[place].grad for place in tensors))

    return Run.apply(torch.ones((), requires_grad=True), *(args[place] for place in tensors))


def make_buckets(sizes, first_cap, cap):
    def cut():
        rest = list(enumerate(sizes))
        limit = first_cap
        while rest:
            sums = list(accumulate(size for _, size in rest))
            end = next((i for i, total in enumerate(sums) if total >= limit), len(rest) - 1)
            yield [place for place, _ in rest[: end + 1]]
            rest, limit = rest[end + 1 :], cap

    return list(cut())


def average_gradients(params, buckets, group):
    for bucket in buckets:
        chosen = [params[place] for place in bucket]
        row = torch.hstack([(param * 0 if param.grad is None else param.grad).detach().ravel() for param in chosen])
        row = group.all_reduce(row).div(group.world)
        ends = [0, *accumulate(param.numel() for param in chosen)]
        for param, (start, stop) in zip(chosen, pairwise(ends), strict=False):
            param.grad = row[start:stop].reshape_as(param).clone()


def shard(n, rank, world):
    start, stop = (n // world * r + min(n % world, r) for r in (rank, rank + 1))
    return range(start, stop)


def share_start(model, group):
    for value in [*model.parameters(), *model.buffers()]:
        value.detach().copy_(group.broadcast(value.detach(), 0))


def data_parallel_step(model, loss, x, targets, optimizer, group, max_norm):
    total = sum(count.item() for count in group.all_gather(torch.tensor([len(x)], device=x.device)))
    params = [param for param in model.parameters() if param.requires_grad]
    value = loss(model, x, targets)
    grads = torch.autograd.grad(value, params, allow_unused=True)
    row = torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(params, grads, strict=False)])
    row = group.all_reduce(row * (len(x) / total))
    row = row * torch.clamp(max_norm / (row.norm() + 1e-6), max=1.0)
    for param, part in zip(params, row.split([param.numel() for param in params]), strict=False):
        param.grad = part.view_as(param).clone()
    optimizer.step()
    return group.all_reduce(value.detach() * len(x)).item() / total


class ShardedAdamW:
    def __init__(self, params, group, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.params, self.group, self.hyper = tuple(params), group, (lr, *betas, eps, weight_decay)
        self.shards = [slice((r := shard(p.numel(), group.rank, group.world)).start, r.stop) for p in self.params]
        pairs = zip(self.params, self.shards, strict=True)
        self.moments = [torch.zeros(2, s.stop - s.start, dtype=p.dtype, device=p.device) for p, s in pairs]
        self.counts = dict.fromkeys(range(len(self.params)), 0)

    def zero_grad(self):
        for param in self.params:
            del param.grad

    def step(self):
        lr, beta1, beta2, eps, decay = self.hyper
        for place, (param, own, moments) in enumerate(zip(self.params, self.shards, self.moments, strict=False)):
            if (grad := param.grad) is None:
                continue
            self.counts[place] += 1
            grad = grad.flatten()[own]
            moments[0].mul_(beta1).add_(grad, alpha=1 - beta1)
            moments[1].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
            first = moments[0] / (1 - beta1 ** self.counts[place])
            second = moments[1] / (1 - beta2 ** self.counts[place])
            old = param.detach().flatten()
            change = torch.zeros_like(old)
            change[own] = -lr * decay * old[own] - lr * first / (second.sqrt() + eps)
            param.data += self.group.all_reduce(change).view_as(param)


class ColumnParallelLinear(nn.Linear):
    def __init__(self, linear, group, parts=1):
        size = linear.out_features // parts
        own = shard(size, group.rank, group.world)
        super().__init__(linear.in_features, len(own) * parts, linear.bias is not None)
        pick = torch.arange(linear.out_features).view(parts, size)[:, own.start : own.stop].flatten()
        self.weight = nn.Parameter(linear.weight.data[pick])
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.data[pick])
        self._group = group

    def forward(self, x):
        if x.requires_grad:
            x = x.view(x.shape)
            x.register_hook(self._group.all_reduce)
        return super().forward(x)


class RowParallelLinear(nn.Linear):
    def __init__(self, linear, group):
        own = shard(linear.in_features, group.rank, group.world)
        super().__init__(len(own), linear.out_features, linear.bias is not None)
        self.weight = nn.Parameter(linear.weight.data.tensor_split(group.world, dim=1)[group.rank].clone())
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.data.clone())
        self._group = group

    def forward(self, x):
        part = x.matmul(self.weight.T)
        others = self._group.all_reduce(part.detach()) - part.detach()
        return part + others + (self.bias if self.bias is not None else 0)


def ring_all_reduce(x, group):
    rank, world = group.rank, group.world
    pieces = {place: piece.clone() for place, piece in enumerate(x.detach().flatten().tensor_split(world))}

    def rounds(first, take):
        for place in (first - turn for turn in range(world - 1)):
            group.send(pieces[place % world], (rank + 1) % world)
            into = (place - 1) % world
            pieces[into] = take(pieces[into], group.recv(pieces[into], (rank - 1) % world))

    rounds(rank, torch.add)
    rounds(rank + 1, lambda _, new: new)
    return torch.cat([pieces[place] for place in range(world)]).view(x.size())
