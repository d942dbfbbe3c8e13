"""What the checks of m08_training need in the worker: parameters, small models, a plain optimizer, a GPT to train."""

import importlib
import random
import time

import torch
import torch.nn.functional as F
from torch import nn


class Bigram(nn.Module):
    """A table of logits, a row for each id; dropout falls on the rows. It notes how it was called."""

    def __init__(self, table, dropout=0.0):
        super().__init__()
        self.table = nn.Parameter(table.clone())
        self.drop = nn.Dropout(dropout)
        self.calls = []  # (training, is the drop training, gradients enabled) of each forward pass

    def forward(self, ids):
        """Look rows up; IndexError for an id that has none."""
        self.calls.append([self.training, self.drop.training, torch.is_grad_enabled()])
        return self.drop(self.table[ids])


class Descent:
    """Gradient descent with momentum; it notes the order of calls and the lr of each step."""

    def __init__(self, parameters, lr, momentum=0.0):
        self.param_groups = [{"params": [parameter], "lr": lr} for parameter in parameters]
        self.momentum, self.speeds, self.rates = momentum, None, []

    def zero_grad(self):
        """Set all gradients to None."""
        for group in self.param_groups:
            group["params"][0].grad = None

    @torch.no_grad()
    def step(self):
        """Move against the averaged gradient."""
        self.rates.append([group["lr"] for group in self.param_groups])
        self.speeds = self.speeds or [torch.zeros_like(group["params"][0]) for group in self.param_groups]
        for group, speed in zip(self.param_groups, self.speeds, strict=True):
            if group["params"][0].grad is not None:
                speed.mul_(self.momentum).add_(group["params"][0].grad)
                group["params"][0].sub_(group["lr"] * speed)

    def state_dict(self):
        """Return the momentum and the lr of each group."""
        speeds = None if self.speeds is None else [speed.clone() for speed in self.speeds]
        return {"speeds": speeds, "rates": [group["lr"] for group in self.param_groups]}

    def load_state_dict(self, state):
        """Take them over."""
        self.speeds = None if state["speeds"] is None else [speed.clone() for speed in state["speeds"]]
        for group, lr in zip(self.param_groups, state["rates"], strict=True):
            group["lr"] = lr


def bigram(table, dropout=0.0):
    """Return a Bigram in training mode."""
    return Bigram(table, dropout)


def descent(model, lr, momentum=0.0, spare=0):
    """Return a Descent on a model's parameters, with so many groups more whose parameters no model has."""
    return Descent([*model.parameters(), *(nn.Parameter(torch.zeros(1)) for _ in range(spare))], lr, momentum)


class Shifted(Bigram):
    """A Bigram with a second parameter, `shift`, that is added to every row."""

    def __init__(self, table, shift):
        super().__init__(table)
        self.shift = nn.Parameter(shift.clone())

    def forward(self, ids):
        """Look rows up and shift them."""
        return super().forward(ids) + self.shift


def half_optimized(table, shift, lr):
    """Return a Shifted, and a Descent that has its table alone: the shift stays, and has a gradient all the same."""
    made = Shifted(table, shift)
    return made, Descent([made.table], lr)


class Misnamed(nn.Module):
    """Parameters of all numbers of axes, under names that say something else, one in two places and one frozen."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.ones(3, 2))
        self.ln_weight = nn.Parameter(torch.ones(2, 2, 2))
        self.norm = nn.Embedding(3, 2)
        self.weight = nn.Parameter(torch.ones(4))
        self.kernel = nn.Parameter(torch.ones(()))
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))
        self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
        self.again = self.norm


def misnamed(decay_groups, weight_decay):
    """Return the groups that decay_groups makes of a Misnamed, names in place of parameters."""
    model = Misnamed()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [
        {**group, "params": sorted(names.get(id(p), "a tensor that is no parameter") for p in group["params"])}
        for group in decay_groups(model, weight_decay)
    ]


def state(model):
    """Return what a model's state_dict holds."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def follow(make, groups, gradients, options, rates=None, snapshot=0, plain=False, once=False):
    """Step an optimizer with given gradients, and return all parameters after each step, and the last gradients.

    `groups` is a list of dicts with "params" (tensors) and numbers, or with `plain` just the parameters of the first;
    with `plain` or `once` a generator hands parameters over. `rates[n]` sets the lr of every group before step n, or
    the numbers in a dict. After `snapshot` steps the optimizer's state moves into a new one, the old one having gone
    three steps further on copies meanwhile.
    """
    made = [{**group, "params": [nn.Parameter(value.clone()) for value in group["params"]]} for group in groups]
    parameters = [parameter for group in made for parameter in group["params"]]

    def fresh(groups):
        given = [{**group, "params": iter(group["params"]) if once else group["params"]} for group in groups]
        return make((p for p in groups[0]["params"]) if plain else given, **options)

    optimizer, values = fresh(made), []
    for number, row in enumerate(gradients):
        if snapshot and number == snapshot:
            kept, before = optimizer.state_dict(), [parameter.detach().clone() for parameter in parameters]
            for _ in range(3):
                optimizer.step()
            for parameter, value in zip(parameters, before, strict=True):
                parameter.data.copy_(value)
            optimizer = fresh([{"params": group["params"]} for group in made])
            optimizer.load_state_dict(kept)
        for parameter, gradient in zip(parameters, row, strict=True):
            parameter.grad = None if gradient is None else gradient.clone()
        if rates and rates[number] is not None:
            for group, new in zip(optimizer.param_groups, rates[number], strict=True):
                group.update(new if isinstance(new, dict) else {"lr": new})
        optimizer.step()
        values.append([parameter.detach().clone() for parameter in parameters])
    return {"values": values, "gradients": [parameter.grad for parameter in parameters]}


def misfit(make, sizes, others):
    """Load the state of an optimizer with groups of these sizes into one with groups of other sizes."""

    def optimizer(sizes):
        return make([{"params": [nn.Parameter(torch.ones(2)) for _ in range(size)]} for size in sizes], lr=0.1)

    optimizer(others).load_state_dict(optimizer(sizes).state_dict())


def cleared(make, values):
    """Return the gradients that zero_grad leaves; None counts as zeros."""
    parameters = [nn.Parameter(value.clone()) for value in values]
    for parameter, value in zip(parameters, values, strict=True):
        parameter.grad = value.clone()
    make([{"params": [parameter]} for parameter in parameters], lr=0.1).zero_grad()
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]


def parted(decay_groups, model, weight_decay):
    """Return the groups that decay_groups makes of a GPT whose last norm is frozen, names in place of parameters."""
    for parameter in model.ln_f.parameters():
        parameter.requires_grad_(False)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [
        {**group, "params": sorted(names.get(id(p), "a tensor that is no parameter") for p in group["params"])}
        for group in decay_groups(model, weight_decay)
    ]


def clip(function, gradients, max_norm):
    """Clip parameters with these gradients, handed over by a generator; return the norm and the gradients."""
    parameters = [nn.Parameter(torch.ones(2) if value is None else torch.ones_like(value)) for value in gradients]
    for parameter, value in zip(parameters, gradients, strict=True):
        parameter.grad = None if value is None else value.clone()
    norm = function((parameter for parameter in parameters), max_norm)
    norm = norm.item() if isinstance(norm, torch.Tensor) else norm
    return {"norm": norm, "gradients": [p.grad for p in parameters if p.grad is not None]}


def dirty(model, value):
    """Leave gradients behind in a model."""
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, value)


def gradients(model):
    """Return a model's gradients."""
    return [parameter.grad for parameter in model.parameters()]


def graphs(function, model, *args):
    """Call a training function; return how many tensors earlier graphs kept alive when each forward pass began."""
    alive, seen = [0], []

    class Kept:
        def __init__(self, tensor):
            self.tensor = tensor
            alive[0] += 1

        def __del__(self):
            alive[0] -= 1

    hook = model.register_forward_pre_hook(lambda *_: seen.append(alive[0]))
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        function(model, *args)
    hook.remove()
    return seen


def modes(model):
    """Return whether each module inside a model is in training mode."""
    return {name or "the model": module.training for name, module in model.named_modules()}


def sleep(module):
    """Put one module in eval mode, and those that it holds."""
    module.eval()


def drawing(function, model, batches):
    """Call an evaluation whose batches draw from torch; return its result, and torch's state before and after."""

    def shuffled():
        for batch in batches:
            torch.rand(3)
            yield batch

    before = torch.get_rng_state()
    result = function(model, shuffled())
    return {"result": result, "before": before, "after": torch.get_rng_state()}


def roll(seed):
    """Seed torch and Python."""
    torch.manual_seed(seed)
    random.seed(seed)


def dice():
    """Return what torch and Python draw next."""
    return {"torch": torch.rand(8), "Python": [random.random() for _ in range(8)]}


def resumed(student, model, other, batches, path, lr):
    """Train a model without a break, and go on from its half with another one; return the weights of both."""
    half = len(batches) // 2
    random.seed(7)
    torch.manual_seed(7)
    steps = optimizer(student, model, lr)
    for number, batch in enumerate(batches):
        if number == half:
            student["save_checkpoint"](path, model, steps, half)
        student["train_step"](model, steps, [batch])
    torch.manual_seed(1234)
    steps = optimizer(student, other, lr)
    for batch in batches[student["load_checkpoint"](path, other, steps) :]:
        student["train_step"](other, steps, [batch])
    return {"whole": state(model), "resumed": state(other)}


def optimizer(student, model, lr):
    """Return the student's AdamW for a model: parameters cannot cross to the judge and stay what they are."""
    return student["AdamW"](student["decay_groups"](model, 0.1), lr=lr)


def plan(learning_rate, **numbers):
    """Return the student's schedule as a function of the step alone."""
    return lambda step: learning_rate(step, **numbers)


def finished(trusted, sizes, start, ids):
    """Return the submission's own GPT with these weights if it has one that is finished, else the trusted model.

    Finished means: same names, same logits, same gradients, and not three times as slow.
    """
    try:
        module = importlib.import_module("exercises.m06_gpt")
        own = module.GPT(module.GPTConfig(**sizes))
        own.load_state_dict({"lm_head.weight": start["wte.weight"], **start})
        same = _same(own.eval(), trusted, ids)
    except (Exception, SystemExit):
        same = False
    return own if same else trusted


def _same(own, trusted, ids):
    found, expected = [_measured(model, ids) for model in (own, trusted)]
    names = [{name for name, _ in model.named_parameters()} for model in (own, trusted)]
    return (
        names[0] == names[1]
        and torch.allclose(found["logits"], expected["logits"], rtol=1e-3, atol=1e-4)
        and all(torch.allclose(a, b, rtol=1e-2, atol=1e-4) for a, b in zip(*_by_name(own, trusted), strict=True))
        and found["seconds"] < 3 * expected["seconds"]
    )


def _by_name(own, trusted):
    grads = [{name: p.grad for name, p in model.named_parameters()} for model in (own, trusted)]
    for model in (own, trusted):
        model.zero_grad()
    return [[grad[name] for name in sorted(grads[0])] for grad in grads]


def _measured(model, ids):
    best = float("inf")
    for _ in range(3):  # the first one warms up
        model.zero_grad()
        began = time.process_time()
        logits = model(ids)
        F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
        best = min(best, time.process_time() - began)
    return {"logits": logits.detach(), "seconds": best}
