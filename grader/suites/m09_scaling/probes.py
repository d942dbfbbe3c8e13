"""Trusted code that the checks of m09_scaling plant in the worker. What it reports is a claim."""

import torch
from torch import nn


def work(name):
    """Return a function of this module's, for ranks to do."""
    return globals()[name]


# ── half precision ────────────────────────────────────────────────────────────────────────────────────────────────────


def scaled(make, start, options, gradients, lr, max_norm):
    """Train by gradients that were scaled: what the scaler says at each step, and the weights after it."""
    params, idle = [nn.Parameter(value.clone()) for value in start], nn.Parameter(torch.ones(3))
    scaler, optimizer, seen = make(**options), torch.optim.SGD([*params, idle], lr), []
    for step in gradients:
        for param, gradient in zip(params, step, strict=True):
            param.grad = gradient * scaler.scale
        scale, grads = scaler.scale, [param.grad for param in params]
        finite = scaler.unscale_(iter([params[0], idle, *params[1:]]))
        same = all(param.grad is grad for param, grad in zip(params, grads, strict=True))
        if max_norm is not None:
            nn.utils.clip_grad_norm_(params, max_norm)
        taken, kept = scaler.step(optimizer), scaler.scale
        scaler.update()
        weights = torch.cat([param.detach().flatten() for param in params])
        seen.append({"scale": scale, "finite": finite, "taken": taken, "kept": kept, "same": same, "weights": weights})
    own = {"torchs": torchs(start, options, gradients)} if params[0].is_cuda else {}
    return own | {"seen": seen, "scale": scaler.scale}


def torchs(start, options, gradients):
    """Return the scales that torch's own GradScaler has on a GPU before each step, and in the end."""
    params = [nn.Parameter(value.clone()) for value in start]
    scaler, optimizer = torch.amp.GradScaler("cuda", **options), torch.optim.SGD(params, 0.0)
    scaler.scale(torch.zeros((), device=params[0].device))
    scales = [scaler.get_scale()]
    for step in gradients:
        for param, gradient in zip(params, step, strict=True):
            param.grad = gradient * scales[-1]
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales


class Above(nn.Module):
    """1 in every place where numbers have more digits than half precision has at 256 or 2048, and 0 elsewhere."""

    def forward(self, x):
        """Any shape in and out."""
        return (x + 1) - x


def layers(parts):
    """Return layers: of (weight, bias) a linear one, of a width a norm, of None one that shows what it is given."""
    made: list = []
    for part in parts:
        if part is None:
            made.append(Above())
        elif isinstance(part, int):
            made.append(nn.LayerNorm(part))
        else:
            weight, bias = part
            made.append(nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device=weight.device))
            made[-1].weight.data = weight.clone()
            if bias is not None:
                made[-1].bias.data = bias.clone()
    return made


def mixed(mixed_loss, parts, x, targets, dtype):
    """Return the loss, the gradients of all weights, and the weights afterwards."""
    made = nn.ModuleList(layers(parts)).to(x.device)
    loss = mixed_loss(list(made), x, targets, dtype)
    if loss.requires_grad:
        loss.backward()
    own = {"autocast": autocast(made, x, targets, dtype)} if x.is_cuda else {}
    return own | {
        "loss": loss.detach(),
        "gradients": [param.grad for param in made.parameters()],
        "weights": [param.detach() for param in made.parameters()],
    }


def autocast(made, x, targets, dtype):
    """Return the loss that torch's own autocast comes to, on a GPU."""
    with torch.no_grad(), torch.autocast(x.device.type, dtype):
        for layer in made:
            x = layer(x)
        return nn.functional.cross_entropy(x, targets)


def mastered(master_step, master, gradients, lr):
    """Take some steps; return the master weights after them, and what the last one returned."""
    copies = []
    for step in gradients:
        copies = master_step(master, step, lr)
    return {"master": master, "copies": copies}


# ── activations ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Work(nn.Module):
    """Something to checkpoint: two matrices, dropout between them, and a word to the judge each time."""

    def __init__(self, first, second, note=None):
        super().__init__()
        self.first, self.second, self.note = nn.Parameter(first), nn.Parameter(second), note

    def forward(self, x, shift, order, times):
        """(rows, d_in) in, (rows, d_out) out; order says in which places the hidden numbers stand."""
        if self.note is not None:
            self.note()
        hidden = torch.tanh(x @ self.first + shift)[:, order] * times
        kept = torch.rand(hidden.shape) > 0.4  # by the processor's dice, wherever x is
        return torch.sin(hidden * kept.to(x.device)) @ self.second


def checkpointed(checkpoint, matrices, x, shift, order, times, weights, seed, wanting, note):
    """Return what a checkpointed Work gives, its gradients, and the random numbers that come after both."""
    work = Work(matrices[0].clone(), matrices[1].clone(), note)
    x, shift = x.clone().requires_grad_(wanting), shift.clone()
    torch.manual_seed(seed)
    result = checkpoint(work, x, shift, order, times)
    between = torch.rand(3)
    if result.requires_grad:
        (result * weights).sum().backward()
    return {
        "result": result.detach(),
        "x": x.grad,
        "matrices": [work.first.grad, work.second.grad],
        "between": between,
        "after": torch.rand(3),
    }


class Deep:
    """Many results on the way from an x to one of its size."""

    def __init__(self, depth):
        self.depth = depth

    def __call__(self, x):
        """Any shape in and out."""
        for _ in range(self.depth):
            x = torch.sin(x)
        return x


class Held:
    """A tensor that stays here."""

    def __init__(self, value):
        self.value = value


def give(x):
    """Keep an x that wants a gradient."""
    return Held(x.requires_grad_())


def deep(checkpoint, held, depth):
    """Return a checkpointed result, with its graph."""
    return Held(checkpoint(Deep(depth), held.value))


def differentiated(graph, held):
    """Return the gradient of the sum of a result."""
    graph.value.sum().backward()
    return held.value.grad


# ── rows and state ────────────────────────────────────────────────────────────────────────────────────────────────────


class Net(nn.Module):
    """Two linear layers, a norm that counts, and a gain for rows whose first number is above 0."""

    def __init__(self, state):
        super().__init__()
        d_ff, d_in = state["first.weight"].shape
        self.first, self.second = nn.Linear(d_in, d_ff), nn.Linear(d_ff, state["second.weight"].shape[0])
        self.norm, self.gain = nn.BatchNorm1d(d_ff), nn.Parameter(torch.ones(d_ff))
        self.load_state_dict(state)
        self.eval()

    def forward(self, x):
        """(rows, d_in) in, (rows, d_out) out."""
        hidden, gained = torch.tanh(self.first(x)), x[:, :1] > 0
        return self.second(torch.where(gained, hidden * self.gain, hidden) if gained.any() else hidden)


def regression(model, x, targets):
    """Return the mean, over the rows, of the squared distances."""
    return (model(x) - targets).square().sum(-1).mean()


def averaged(average_gradients, own, shapes, buckets, group):
    """Return the gradients of parameters after they were averaged."""
    params = [nn.Parameter(torch.zeros(*shape)) for shape in shapes]
    for param, gradient in zip(params, own, strict=True):
        param.grad = gradient
    average_gradients(params, buckets, group)
    return [param.grad for param in params]


def ranges(found):
    """Return the type and the items of what should be ranges; of slices, the places that they pick."""
    return [[type(part).__name__, list(range(1000)[part] if type(part) is slice else part)] for part in found]


def started(group, share_start, states):
    """Return a model's state after all ranks have taken over rank 0's, and if its parameters are the same ones."""
    model = Net(states[group.rank])
    model.register_buffer("unsaved", states[group.rank]["gain"] + 1, persistent=False)
    before = list(model.parameters())
    share_start(model, group)
    same = all(one is other for one, other in zip(before, model.parameters(), strict=True))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    return {"state": state | {"unsaved": model.get_buffer("unsaved").clone()}, "same": same}


def stepped(group, step, state, batches, lr, max_norm):
    """Take a step for each batch, of which a rank has its own part; return losses and weights, by name."""
    model = Net(state)
    for param in model.parameters():
        param.grad = torch.ones_like(param)  # left there by something before
    optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9)
    losses = [step(model, regression, *parts[group.rank], optimizer, group, max_norm) for parts in batches]
    return {"losses": losses, "weights": {name: value.detach() for name, value in model.named_parameters()}}


def moved(group, make, values, steps, options):
    """Move parameters by AdamW, by these gradients; return them after each step."""
    params = [nn.Parameter(value.clone()) for value in values]
    optimizer, seen = make(iter(params), group, **options), []
    for step in steps:
        optimizer.zero_grad()
        for param, gradient in zip(params, step, strict=True):
            if gradient is not None:  # else what zero_grad has left
                param.grad = gradient.clone()
        optimizer.step()
        seen.append([param.detach().clone() for param in params])
    return seen


def of_tensors(kind, function, group):
    """Return a function of a weight and a gradient alone, for one that takes parameters and a group."""

    def average(weight, gradient):
        params = [nn.Parameter(weight), nn.Parameter(gradient)]
        params[0].grad = gradient
        function(params, [[0, 1]], group)
        return params[1].grad + weight

    def move(weight, gradient):
        param = nn.Parameter(weight)
        optimizer = function([param], group, lr=0.1)
        param.grad = gradient
        optimizer.step()
        return param + weight

    def ring(weight, gradient):
        return function(weight, group) + gradient

    return {"average": average, "move": move, "ring": ring}[kind]


def large(make, count, group, **options):
    """Return an AdamW that has taken one step with this many numbers, as one rank of several."""
    param = nn.Parameter(torch.zeros(count))
    optimizer = make([param], group, **options)
    param.grad = torch.ones(count)
    optimizer.step()
    param.grad = None
    return Held([optimizer, param])


# ── matrices ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def linear(weight, bias):
    """Return a linear layer."""
    return layers([(weight, bias)])[0]


def used(layer, x, weights):
    """Return what a layer gives for x, the gradients of x and of its parameters, and the parameters."""
    x = x.clone().requires_grad_()
    y = layer(x)
    if y.shape == weights.shape:
        (y * weights).sum().backward()
    own = dict(layer.named_parameters())
    return {
        "y": y.detach(),
        "x": x.grad,
        "own": {name: value.detach() for name, value in own.items()},
        "gradients": {name: value.grad for name, value in own.items()},
    }


def shared(group, make, weight, bias, xs, weights, options):
    """Use a rank's share of a layer, with its own x and its own weights of y."""
    whole = linear(weight, bias)
    layer = make(whole, group, **options)
    with torch.no_grad():  # whoever has kept parts of it instead of copies has nothing but zeros now
        for param in whole.parameters():
            param.zero_()
    return used(layer, xs[group.rank], weights[group.rank])


class MLP(nn.Module):
    """A column-parallel layer, GELU, and a row-parallel one."""

    def __init__(self, column, row):
        super().__init__()
        self.c_fc, self.c_proj = column, row

    def forward(self, x):
        """(..., d_model) in and out."""
        return self.c_proj(nn.functional.gelu(self.c_fc(x)))


def mlp(group, column, row, matrices, x, weights):
    """Use an MLP that is shared by all ranks."""
    fc, proj = linear(*matrices[0]), linear(*matrices[1])
    return used(MLP(column(fc, group), row(proj, group)), x, weights)


def ringed(group, ring, xs):
    """Return what the ring makes of this rank's x, and x afterwards."""
    x = xs[group.rank].clone()
    return {"sum": ring(x, group), "x": x}


def next_tokens(model, ids, targets):
    """Return the mean cross-entropy of the tokens that come next."""
    return nn.functional.cross_entropy(model(ids).flatten(0, 1), targets.flatten())


def train_alone(gpt, layers):
    """Leave all of a GPT as it is but these layers."""
    gpt.requires_grad_(False)
    for layer in layers:
        gpt.h[layer].requires_grad_(True)


def wanted(gpt):
    """Return the parameters of a GPT that are trained."""
    return [param for param in gpt.parameters() if param.requires_grad]


def learned(group, step, make, gpts, windows, rows, options, max_norm):
    """Train a GPT, of each batch a rank's own rows; return its weights."""
    gpt = gpts[group.rank]
    optimizer = make(wanted(gpt), group, **options)
    for window in windows:
        own = window.split(rows)[group.rank]
        step(gpt, next_tokens, own[:, :-1], own[:, 1:], optimizer, group, max_norm)
    return {name: value.detach() for name, value in gpt.named_parameters()}


SENT = 0.02  # of a gradient's numbers, where a rank may send no more


def squeezed(group, squeeze, make, gpts, windows, rows, options, max_norm):
    """Train a GPT by what `squeeze` lets each rank send of its part of the gradient; return its weights."""
    gpt, squeeze = gpts[group.rank], squeeze or evenly
    params = wanted(gpt)
    optimizer, left = make(params, group, **options), torch.zeros(sum(param.numel() for param in params))
    for window in windows:
        own = window.split(rows)[group.rank]
        optimizer.zero_grad()
        (next_tokens(gpt, own[:, :-1], own[:, 1:]) * (len(own) / len(window))).backward()
        row = torch.cat([param.grad.flatten() for param in params])
        most = int(SENT * len(row))
        sent, left = squeeze(row.clone(), left.clone(), most)
        for value in (sent, left):
            if type(value) is not torch.Tensor or value.shape != row.shape:
                raise ValueError("squeeze returns two tensors of the gradient's shape")
        if int(sent.count_nonzero()) > most:
            raise ValueError(f"squeeze sends more than it may: {int(sent.count_nonzero()):,} of {most:,} allowed")
        parts = group.all_reduce(sent).split([param.numel() for param in params])
        for param, part in zip(params, parts, strict=True):
            param.grad = part.view(param.shape)
        nn.utils.clip_grad_norm_(params, max_norm)
        optimizer.step()
    return {name: value.detach() for name, value in gpt.named_parameters()}


def evenly(row, left, most):
    """Send numbers that stand evenly spaced, the same in each step, and forget the others."""
    places = torch.arange(most) * (len(row) // most)
    return torch.zeros_like(row).index_copy(0, places, row[places]), left
