"""Unusual: broadcasts in place of sums, state in a dict that fills as it goes, loops and Python's own numbers."""

import torch
from torch import nn


class LossScaler(object):
    good = 0
    finite = True

    def __init__(self, init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000):
        self.__dict__.update(locals())
        self.scale = float(init_scale)

    def unscale_(self, params):
        checks = []
        for param in list(params):
            if param.grad is None:
                continue
            with torch.no_grad():
                param.grad /= self.scale
            checks.append(bool(torch.all(torch.isfinite(param.grad))))
        self.finite = all(checks)
        return self.finite

    def step(self, optimizer):
        if self.finite:
            optimizer.step()
        return self.finite

    def update(self):
        if not self.finite:
            self.scale, self.good = self.scale * self.backoff_factor, 0
        elif self.good + 1 >= self.growth_interval:
            self.scale, self.good = self.scale * self.growth_factor, 0
        else:
            self.good += 1


def mixed_loss(layers, x, targets, dtype):
    def half(tensor):
        return None if tensor is None else tensor.to(dtype)

    for layer in layers:
        if type(layer) is nn.Linear or isinstance(layer, nn.Linear):
            x = nn.functional.linear(half(x), half(layer.weight), half(layer.bias))
        else:
            x = layer(x.float())
    logits = x.float()
    right = logits[range(len(targets)), targets]
    return (torch.logsumexp(logits, dim=1) - right).sum() / len(targets)


def master_step(master, grads, lr):
    copies = []
    for place in range(len(master)):
        with torch.no_grad():
            moved = master[place] - grads[place].to(torch.float32) * lr
            master[place].copy_(moved)
        copies.append(moved.to(grads[place].dtype))
    return copies


class Again(torch.autograd.Function):
    @staticmethod
    def forward(ctx, function, kinds, spark, *values):
        ctx.function, ctx.kinds = function, kinds
        ctx.others = [value for value, kind in zip(values, kinds, strict=False) if not kind]
        ctx.save_for_backward(*[value for value, kind in zip(values, kinds, strict=False) if kind])
        ctx.dice = torch.random.get_rng_state()
        return function(*values)

    @staticmethod
    def backward(ctx, grad):
        tensors, others = iter(ctx.saved_tensors), iter(ctx.others)
        values = []
        for kind in ctx.kinds:
            if kind:
                tensor = next(tensors)
                values.append(tensor.detach().clone().requires_grad_(tensor.requires_grad))
            else:
                values.append(next(others))
        with torch.random.fork_rng(devices=[]):
            torch.random.set_rng_state(ctx.dice)
            with torch.set_grad_enabled(True):
                result = ctx.function(*values)
        if result.requires_grad:
            result.backward(grad)
        grads = [value.grad if kind else None for value, kind in zip(values, ctx.kinds, strict=False)]
        return (None, None, None, *grads)


def checkpoint(function, *args):
    return Again.apply(function, [torch.is_tensor(arg) for arg in args], torch.zeros((), requires_grad=True), *args)


def make_buckets(sizes, first_cap, cap):
    caps, places, buckets = [first_cap], list(range(len(sizes))), []
    while places:
        bucket = [places.pop(0)]
        while places and sum(sizes[place] for place in bucket) < caps[-1]:
            bucket.append(places.pop(0))
        buckets.append(bucket)
        caps.append(cap)
    return buckets


def average_gradients(params, buckets, group):
    for bucket in buckets:
        row = params[bucket[0]].new_zeros(sum(params[place].numel() for place in bucket))
        start = 0
        for place in bucket:
            size = params[place].numel()
            if params[place].grad is not None:
                row[start : start + size] = params[place].grad.reshape(size)
            start += size
        row = group.all_reduce(row / group.world)
        start = 0
        for place in bucket:
            size = params[place].numel()
            params[place].grad = row[start : start + size].reshape(params[place].shape).clone()
            start += size


def shard(n, rank, world):
    lengths = [n // world + (1 if other < n % world else 0) for other in range(world)]
    return range(sum(lengths[:rank]), sum(lengths[: rank + 1]))


def share_start(model, group):
    for _, value in sorted([*model.named_parameters(), *model.named_buffers()], key=lambda pair: pair[0]):
        value.data = group.broadcast(value, 0)


def data_parallel_step(model, loss, x, targets, optimizer, group, max_norm):
    counts = [float(count) for count in group.all_gather(torch.tensor([float(len(x))], device=x.device))]
    share = counts[group.rank] / sum(counts)
    optimizer.zero_grad()
    own = loss(model, x, targets)
    own.backward()
    wanted = [param for param in model.parameters() if param.requires_grad]
    for param in wanted:
        grad = torch.zeros_like(param) if param.grad is None else param.grad
        total = torch.zeros_like(grad)
        for rank in range(group.world):
            total += group.broadcast(grad * share, rank)
        param.grad = total
    squares = sum(float((param.grad.double() ** 2).sum()) for param in wanted)
    if squares**0.5 > max_norm:
        for param in wanted:
            param.grad.mul_(max_norm / (squares**0.5 + 1e-6))
    optimizer.step()
    losses = group.all_gather(own.detach().reshape(1))
    return sum(float(one) * count for one, count in zip(losses, counts, strict=False)) / sum(counts)


class ShardedAdamW:
    def __init__(self, params, group, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.params, self.group, self.state = list(params), group, {}
        self.options = lr, betas, eps, weight_decay

    def zero_grad(self):
        for param in self.params:
            param.grad = None

    def step(self):
        lr, (beta1, beta2), eps, decay = self.options
        group = self.group
        for number, param in enumerate(self.params):
            if param.grad is None:
                continue
            own = shard(param.numel(), group.rank, group.world)
            state = self.state.setdefault(number, {"t": 0, "m": 0.0, "v": 0.0})
            state["t"] += 1
            grad = param.grad.reshape(-1)[own.start : own.stop]
            state["m"] = beta1 * state["m"] + (1 - beta1) * grad
            state["v"] = beta2 * state["v"] + (1 - beta2) * grad * grad
            m, v = state["m"] / (1 - beta1 ** state["t"]), state["v"] / (1 - beta2 ** state["t"])
            with torch.no_grad():
                flat = param.detach().reshape(-1).clone()
                flat[own.start : own.stop] -= lr * decay * flat[own.start : own.stop]
                flat[own.start : own.stop] -= lr * m / (v.sqrt() + eps)
                for rank in range(group.world):
                    theirs = shard(param.numel(), rank, group.world)
                    if len(theirs):
                        flat[theirs.start : theirs.stop] = group.broadcast(flat[theirs.start : theirs.stop], rank)
                param.copy_(flat.reshape(param.shape))


class Copy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, group):
        ctx.group = group
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return ctx.group.all_reduce(grad), None


class Add(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, group):
        return group.all_reduce(x)

    @staticmethod
    def backward(ctx, grad):
        return grad.clone(), None


class ColumnParallelLinear(nn.Module):
    def __init__(self, linear, group, parts=1):
        super().__init__()
        self.group = group
        mask = torch.zeros(parts, linear.out_features // parts, dtype=torch.bool)
        mask[:, list(shard(mask.shape[1], group.rank, group.world))] = True
        mask = mask.flatten().to(linear.weight.device)
        self.weight = nn.Parameter(linear.weight.detach()[mask])
        self.register_parameter("bias", None if linear.bias is None else nn.Parameter(linear.bias.detach()[mask]))

    def forward(self, x):
        y = torch.einsum("...i,oi->...o", Copy.apply(x, self.group), self.weight)
        return y if self.bias is None else y + self.bias


class RowParallelLinear(nn.Module):
    def __init__(self, linear, group):
        super().__init__()
        self.group = group
        columns = list(shard(linear.in_features, group.rank, group.world))
        picked = torch.tensor(columns, device=linear.weight.device)
        self.weight = nn.Parameter(linear.weight.detach().index_select(1, picked))
        self.register_parameter("bias", None if linear.bias is None else nn.Parameter(linear.bias.detach().clone()))

    def forward(self, x):
        y = Add.apply(torch.einsum("...i,oi->...o", x, self.weight), self.group)
        return y if self.bias is None else y + self.bias


def ring_all_reduce(x, group):
    me, all_of_us = group.rank, group.world
    row = x.detach().reshape(-1).clone()
    parts = [row[r.start : r.stop] for r in (shard(row.numel(), i, all_of_us) for i in range(all_of_us))]
    right, left = (me + 1) % all_of_us, (me + all_of_us - 1) % all_of_us
    piece = me
    for _ in range(all_of_us - 1):
        group.send(parts[piece], right)
        piece = (piece - 1) % all_of_us
        parts[piece].add_(group.recv(parts[piece], left))
    for _ in range(all_of_us - 1):
        group.send(parts[piece], right)
        piece = (piece - 1) % all_of_us
        parts[piece].copy_(group.recv(parts[piece], left))
    return row.reshape(x.shape)
