"""What the checks of m11_lora need in the worker: linear layers, a model with misleading names, plain training."""

import torch
import torch.nn.functional as F
from torch import nn


class Cell(nn.Module):
    """Linear layers whose names end alike, some of them inside a Sequential."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.proj, self.out_proj = nn.Linear(width, width - 2), nn.Linear(width - 2, width, bias=False)
        self.deep = nn.Sequential(nn.Linear(width, 5), nn.GELU(), nn.Linear(5, width))

    def forward(self, x):
        """(..., width) in and out."""
        x = x + self.out_proj(self.proj(self.norm(x)))
        return x + self.deep(x)


class Zoo(nn.Module):
    """(..., 6) to (..., 7), with parameters of its own that bear names like an adapter's."""

    def __init__(self):
        super().__init__()
        self.stem, self.cells = nn.Linear(6, 10), nn.ModuleList(Cell(10) for _ in range(2))
        self.lora_head, self.lora_gain = nn.Linear(10, 7), nn.Parameter(torch.ones(10))

    def forward(self, x):
        """Through all layers."""
        x = self.stem(x)
        for cell in self.cells:
            x = cell(x)
        return self.lora_head(x * self.lora_gain)


def zoo(state):
    """Return a Zoo with these weights, in training mode."""
    made = Zoo()
    made.load_state_dict(state)
    return made


def linear(weight, bias=None):
    """Return an nn.Linear with these numbers, in training mode."""
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
    made.load_state_dict({"weight": weight} if bias is None else {"weight": weight, "bias": bias})
    return made


def fill(model, values):
    """Write values into named parameters; KeyError for a name that is none."""
    parameters = dict(model.named_parameters())
    for name, value in values.items():
        parameters[name].data.copy_(value)


def made_on_meta(make, rank):
    """Return where the adapter of a layer without memory lies."""
    made = make(nn.Linear(7, 5, device="meta"), rank, 1.0)
    return {name: getattr(made, name).device.type for name in ("lora_A", "lora_B")}


def anatomy(make, base, rank):
    """Return whether a new layer holds the very base or one alike, and its mode when base is in eval mode."""
    made = make(base, rank, 1.0, 0.5)
    sleeping = make(linear(base.weight.detach()).eval(), rank, 1.0, 0.5)
    alike = isinstance(made.base, nn.Linear) and torch.equal(made.base.weight, base.weight)
    return {
        "same": made.base is base,
        "alike": alike,
        "training": any(module.training for module in sleeping.modules()),
    }


def loading(load, model, state):
    """Load an adapter; return the names of the parameters that are other ones than before."""
    before = dict(model.named_parameters())
    load(model, state)
    return [name for name, parameter in model.named_parameters() if parameter is not before.get(name)]


def merging(made):
    """Merge; say whether base's weight is still the same parameter, as trainable as before, with no graph behind it."""
    before, trainable = made.base.weight, made.base.weight.requires_grad
    made.merge()
    after = made.base.weight
    return {"same": after is before, "plain": after.is_leaf and after.requires_grad == trainable}


def state(model):
    """Return copies of what a model's state_dict holds."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def adapted(model):
    """Return the names of the modules with an adapter."""
    return [name for name, module in model.named_modules() if hasattr(module, "lora_A") and hasattr(module, "lora_B")]


def modes(model):
    """Return the names of the modules that are in training mode."""
    return [name for name, module in model.named_modules() if module.training]


def trainable(model):
    """Return the names of the parameters that need a gradient."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def descend(model, x, wanted, rate=0.1):
    """Take one step of gradient descent on the squared error, with weight decay; return the state."""
    ((model(x) - wanted) ** 2).sum().backward()
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.data -= rate * (parameter.grad + 0.1 * parameter.data)
    return state(model)


def snapshot(take, model):
    """Take an adapter's state, then spoil the model's parameters; return what was taken and whether it has a graph."""
    taken = take(model)
    graph = [name for name, value in taken.items() if value.requires_grad]
    for parameter in model.parameters():
        parameter.data.fill_(3.0)
    return {"taken": taken, "graph": graph}


def finetune(student, model, targets, windows, rank, alpha, lr):
    """Inject, freeze, train on windows (steps batch seq+1) by Adam, and return what there is to judge.

    `logits` are those of the trained model, in eval mode, for the first window.
    """
    student["inject_lora"](model, targets, rank, alpha)
    student["freeze_base"](model)
    names = trainable(model)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    spare = torch.zeros(1, requires_grad=True)  # where nothing can be trained, nothing moves
    optimizer = torch.optim.Adam([*parameters, spare], lr=lr)
    model.train()
    for rows in windows if parameters else ():
        loss = F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        logits = model.eval()(windows[0][:, :-1])
    return {"trainable": names, "state": state(model), "adapter": student["lora_state_dict"](model), "logits": logits}
