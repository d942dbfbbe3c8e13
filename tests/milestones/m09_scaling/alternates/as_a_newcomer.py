"""Unusual: written by somebody who is new to torch: .data everywhere, ifs in place of formulas, copies of copies."""

import torch
import torch.nn as nn


class LossScaler(nn.Module):
    def __init__(self, init_scale=65536.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000):
        super().__init__()
        self.scale = float(init_scale)
        self.growth_factor = growth_factor
        self.backoff_factor = backoff_factor
        self.growth_interval = growth_interval
        self.steps_without_overflow = 0
        self.found_overflow = False

    def unscale_(self, params):
        params = list(params)
        self.found_overflow = False
        for p in params:
            if p.grad is None:
                continue
            if torch.isnan(p.grad).any() or torch.isinf(p.grad).any():
                self.found_overflow = True
        for p in params:
            if p.grad is not None:
                p.grad.data = p.grad.data / self.scale
        return not self.found_overflow

    def step(self, optimizer):
        if self.found_overflow is True:
            return False
        else:
            optimizer.step()
            return True

    def update(self):
        if self.found_overflow is True:
            self.scale = self.scale * self.backoff_factor
            self.steps_without_overflow = 0
        else:
            self.steps_without_overflow = self.steps_without_overflow + 1
            if self.steps_without_overflow % self.growth_interval == 0:
                self.scale = self.scale * self.growth_factor


def mixed_loss(layers, x, targets, dtype):
    out = x
    for layer in layers:
        if isinstance(layer, nn.Linear):
            w = layer.weight.to(dtype)
            out = out.to(dtype)
            out = torch.matmul(out, torch.transpose(w, 0, 1))
            if layer.bias is not None:
                b = layer.bias.to(dtype)
                out = out + b
        else:
            out = out.to(torch.float32)
            out = layer(out)
    out = out.to(torch.float32)
    criterion = nn.CrossEntropyLoss()
    return criterion(out, targets)


def master_step(master, grads, lr):
    copies = []
    for i in range(len(master)):
        w = master[i]
        g = grads[i]
        w.data = w.data - lr * g.data.float()
        copies.append(w.data.clone().to(g.dtype))
    return copies


class MyCheckpoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, run_function, dummy, *args):
        ctx.run_function = run_function
        ctx.args = args
        ctx.rng = torch.get_rng_state()
        with torch.no_grad():
            output = run_function(*args)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        new_args = []
        for a in ctx.args:
            if isinstance(a, torch.Tensor):
                b = a.detach()
                if a.requires_grad:
                    b.requires_grad = True
                new_args.append(b)
            else:
                new_args.append(a)
        rng_now = torch.get_rng_state()
        torch.set_rng_state(ctx.rng)
        with torch.enable_grad():
            output = ctx.run_function(*new_args)
        torch.set_rng_state(rng_now)
        if output.requires_grad:
            output.backward(grad_output)
        result = [None, None]
        for a in new_args:
            if isinstance(a, torch.Tensor) and a.requires_grad:
                result.append(a.grad)
            else:
                result.append(None)
        return tuple(result)


def checkpoint(function, *args):
    dummy = torch.zeros(1)
    dummy.requires_grad = True
    return MyCheckpoint.apply(function, dummy, *args)


def make_buckets(sizes, first_cap, cap):
    result = []
    bucket = []
    size_of_bucket = 0
    for i, size in enumerate(sizes):
        bucket.append(i)
        size_of_bucket += size
        if len(result) == 0:
            full = size_of_bucket >= first_cap
        else:
            full = size_of_bucket >= cap
        if full:
            result.append(bucket)
            bucket = []
            size_of_bucket = 0
    if bucket != []:
        result.append(bucket)
    return result


def average_gradients(params, buckets, group):
    params = list(params)
    for bucket in buckets:
        pieces = []
        for i in bucket:
            p = params[i]
            if p.grad is None:
                p.grad = torch.zeros(p.shape, dtype=p.dtype, device=p.device)
            pieces.append(p.grad.reshape(-1))
        flat = torch.concat(pieces)
        total = group.all_reduce(flat)
        mean = total / float(group.world)
        offset = 0
        for i in bucket:
            p = params[i]
            n = p.numel()
            p.grad.copy_(mean[offset : offset + n].reshape(p.shape))
            offset = offset + n


def shard(n, rank, world):
    base = n // world
    extra = n % world
    if rank < extra:
        start = rank * (base + 1)
        stop = start + base + 1
    else:
        start = extra * (base + 1) + (rank - extra) * base
        stop = start + base
    return range(start, stop)


def share_start(model, group):
    for p in model.parameters():
        p.data[...] = group.broadcast(p.data, 0)
    for b in model.buffers():
        b.data.copy_(group.broadcast(b, 0))


def data_parallel_step(model, loss, x, targets, optimizer, group, max_norm):
    my_rows = x.shape[0]
    all_rows = group.all_reduce(torch.tensor(my_rows, device=x.device)).item()
    optimizer.zero_grad(set_to_none=True) if isinstance(optimizer, torch.optim.Optimizer) else optimizer.zero_grad()
    my_loss = loss(model, x, targets)
    my_loss.backward()
    for p in model.parameters():
        if not p.requires_grad:
            continue
        if p.grad is None:
            p.grad = torch.zeros_like(p)
        p.grad = group.all_reduce(p.grad * my_rows) / all_rows
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    sum_of_losses = group.all_reduce(my_loss.detach() * my_rows)
    return (sum_of_losses / all_rows).item()


class ShardedAdamW:
    def __init__(self, params, group, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.params = list(params)
        self.group = group
        self.lr = lr
        self.beta1 = betas[0]
        self.beta2 = betas[1]
        self.eps = eps
        self.weight_decay = weight_decay
        self.m = []
        self.v = []
        self.t = []
        for p in self.params:
            mine = shard(p.numel(), group.rank, group.world)
            self.m.append(torch.zeros(len(mine), dtype=p.dtype, device=p.device))
            self.v.append(torch.zeros(len(mine), dtype=p.dtype, device=p.device))
            self.t.append(0)

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    def step(self):
        for i, p in enumerate(self.params):
            if p.grad is None:
                continue
            mine = shard(p.numel(), self.group.rank, self.group.world)
            g = p.grad.data.view(-1)[mine.start : mine.stop]
            w = p.data.view(-1)[mine.start : mine.stop]
            self.t[i] = self.t[i] + 1
            self.m[i] = self.beta1 * self.m[i] + (1 - self.beta1) * g
            self.v[i] = self.beta2 * self.v[i] + (1 - self.beta2) * g**2
            m_hat = self.m[i] / (1 - self.beta1 ** self.t[i])
            v_hat = self.v[i] / (1 - self.beta2 ** self.t[i])
            w = w - self.lr * self.weight_decay * w
            w = w - self.lr * m_hat / (torch.sqrt(v_hat) + self.eps)
            new = torch.zeros(p.numel(), dtype=p.dtype, device=p.device)
            new[mine.start : mine.stop] = w
            p.data.copy_(self.group.all_reduce(new).reshape(p.shape))


class SumGradients(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, group):
        ctx.group = group
        return x * 1

    @staticmethod
    def backward(ctx, g):
        return ctx.group.all_reduce(g), None


class SumOutputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, group):
        return group.all_reduce(x)

    @staticmethod
    def backward(ctx, g):
        return g, None


class ColumnParallelLinear(nn.Module):
    def __init__(self, linear, group, parts=1):
        super().__init__()
        self.group = group
        height = linear.out_features // parts
        rows = []
        for part in range(parts):
            for i in shard(height, group.rank, group.world):
                rows.append(part * height + i)
        self.weight = nn.Parameter(torch.stack([linear.weight.data[i].clone() for i in rows]))
        if linear.bias is not None:
            self.bias = nn.Parameter(torch.stack([linear.bias.data[i].clone() for i in rows]))
        else:
            self.bias = None

    def forward(self, x):
        x = SumGradients.apply(x, self.group)
        y = x @ self.weight.t()
        if self.bias is not None:
            y = y + self.bias
        return y


class RowParallelLinear(nn.Module):
    def __init__(self, linear, group):
        super().__init__()
        self.group = group
        columns = shard(linear.in_features, group.rank, group.world)
        self.weight = nn.Parameter(linear.weight.data[:, columns.start : columns.stop].contiguous().clone())
        self.bias = None
        if linear.bias is not None:
            self.bias = nn.Parameter(linear.bias.data.clone())

    def forward(self, x):
        y = x @ self.weight.t()
        y = SumOutputs.apply(y, self.group)
        if self.bias is not None:
            y = y + self.bias
        return y


def ring_all_reduce(x, group):
    n = x.numel()
    values = x.detach().clone().view(-1)
    next_rank = group.rank + 1
    if next_rank == group.world:
        next_rank = 0
    previous_rank = group.rank - 1
    if previous_rank < 0:
        previous_rank = group.world - 1
    for step in range(group.world - 1):
        a = shard(n, (group.rank - step) % group.world, group.world)
        b = shard(n, (group.rank - step - 1) % group.world, group.world)
        group.send(values[a.start : a.stop], next_rank)
        values[b.start : b.stop] += group.recv(values[b.start : b.stop], previous_rank)
    for step in range(group.world - 1):
        a = shard(n, (group.rank + 1 - step) % group.world, group.world)
        b = shard(n, (group.rank - step) % group.world, group.world)
        group.send(values[a.start : a.stop], next_rank)
        values[b.start : b.stop] = group.recv(values[b.start : b.stop], previous_rank)
    return values.view(x.shape)
