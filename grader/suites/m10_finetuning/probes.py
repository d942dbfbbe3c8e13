"""What the checks of m10_finetuning need in the worker: models that note how they are used, and plain training."""

import torch
import torch.nn.functional as F
from torch import nn

OWN_SEED = 1234  # of torch before a sweep


class Ladder(nn.Module):
    """Modules whose names begin alike, some of their parameters frozen."""

    def __init__(self):
        super().__init__()
        self.h = nn.ModuleList(nn.Linear(2, 3) for _ in range(12))
        self.h_norm, self.score = nn.LayerNorm(3), nn.Linear(3, 2)
        self.score_gain = nn.Parameter(torch.ones(2))
        for layer in self.h[::2]:
            layer.requires_grad_(False)

    def forward(self, x):
        """(batch, 2) to (batch, 2), through all layers side by side."""
        return self.score(self.h_norm(sum(layer(x) for layer in self.h))) * self.score_gain


class Scores(nn.Module):
    """Ids and a mask to a row of scores each: the last real id's, with dropout; it notes how it is called."""

    def __init__(self, table):
        super().__init__()
        self.table, self.dropout = nn.Parameter(table), nn.Dropout(0.5)
        self.frozen = nn.Sequential(nn.Dropout(0.5)).eval()  # a part in eval mode while the rest is trained
        self.calls = []  # is any module in training mode, is there a graph

    def forward(self, ids, mask):
        """(batch, seq) to (batch, n_classes)."""
        self.calls.append([any(module.training for module in self.modules()), torch.is_grad_enabled()])
        last = (mask * torch.arange(mask.shape[1])).argmax(dim=1)
        return self.dropout(self.table[ids[torch.arange(len(ids)), last]])


class Counted(nn.Module):
    """A parameter and a buffer that say how many epochs they have seen, and a part that is mostly in eval mode."""

    epochs: torch.Tensor

    def __init__(self, start):
        super().__init__()
        self.weight = nn.Parameter(start.clone())
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
        self.part = nn.Sequential(nn.Dropout(0.5))


def ladder():
    """Return a Ladder."""
    return Ladder()


def scores(table):
    """Return a Scores in training mode."""
    return Scores(table)


def modes(model):
    """Return the names of the modules that are in training mode."""
    return [name for name, module in model.named_modules() if module.training]


def state(model):
    """Return copies of what a model's state_dict holds."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def fill(model, values):
    """Write values into named parameters; KeyError for a name that is none."""
    parameters = dict(model.named_parameters())
    for name, value in values.items():
        parameters[name].data.copy_(value)


def parameters(model):
    """Return the names of all parameters, in order."""
    return [name for name, _ in model.named_parameters()]


def trainable(model):
    """Return the names of the parameters that need a gradient."""
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def descend(model, x, rate=0.1):
    """Take one step of gradient descent on the sum of squares, with weight decay; return the names that moved."""
    before = state(model)
    (model(x) ** 2).sum().backward()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data -= rate * (parameter.grad + 0.1 * parameter.data)
    return [name for name, value in state(model).items() if not torch.equal(value, before[name])]


def anatomy(make, gpt, n_classes, training):
    """Make a classifier of a model in this mode, its last norm in the other one.

    Say whether it holds the very model, and which modules are in training mode; what stands for lm_head is as it may.
    """
    gpt.train(training)
    gpt.ln_f.train(not training)
    made = make(gpt, n_classes)
    return {"same": made.body is gpt, "training": [name for name in modes(made) if name != "body.lm_head"]}


def head_of(make, gpt, device):
    """Return the dtype of a new classifier's head, and its device, for a model that has moved."""
    made = make(gpt.to(device), 3)
    return {"dtype": made.score.weight.dtype, "device": made.score.weight.device.type}


def encoded(encode_example, texts, prompt, completion, end_id):
    """Encode an example by a table of ids; return the result, and the table's lists afterwards."""
    result = encode_example(texts.__getitem__, prompt, completion, end_id)
    return {"result": result, "texts": list(texts.values())}


def fitting(fit, start, losses, epochs, patience, min_delta):
    """Fit a Counted whose validation losses are given; return what happened, and what is left.

    The n-th epoch adds n to every weight. Each call notes the modes, and whether gradients are on.
    """
    model, seen = Counted(start), []
    kept = dict(model.state_dict(keep_vars=True))

    def note(what):
        training = {module.training for module in model.modules()}
        seen.append([what, sorted(training), torch.is_grad_enabled()])

    def train_epoch():
        note("training")
        model.epochs += 1
        model.weight.data += int(model.epochs)
        return 10.0 + int(model.epochs)

    def validate():
        note("validation")
        return losses[int(model.epochs) - 1]

    options = {"min_delta": min_delta} if min_delta else {}  # 0.0 is its default
    history = fit(model, train_epoch, validate, epochs=epochs, patience=patience, **options)
    return {
        "history": history,
        "seen": seen,
        "state": state(model),
        "same": all(value is kept.get(name) for name, value in model.state_dict(keep_vars=True).items()),
        "training": modes(model),
    }


def sweeping(sweep, grid, losses, seeds):
    """Sweep over a grid with these losses, in the order of the calls; return what was called, drawn and left behind."""
    calls, draws, left, tested = [], [], list(losses), []

    def run(**settings):
        calls.append(["run", settings])
        draws.append(torch.rand(3))
        return left.pop(0)

    def test(**settings):
        calls.append(["test", settings])
        tested.append(torch.rand(3))
        return 0.5

    torch.manual_seed(OWN_SEED)
    before = torch.get_rng_state()
    result = sweep(grid, run, test, seeds)
    drawn = {"draws": draws, "tested": tested, "before": before, "after": torch.get_rng_state()}
    return {"result": result, "calls": calls, **drawn}


def _descent(parameters, rate, steps):
    """Return AdamW and a function that sets its rate for a step: a short warm-up, then a line to 0."""
    spare = torch.zeros(1, requires_grad=True)  # where nothing can be trained, nothing moves
    optimizer = torch.optim.AdamW([*parameters, spare], lr=rate, betas=(0.9, 0.95))

    def step(number, loss):
        optimizer.param_groups[0]["lr"] = rate * min(1, (number + 1) / 10) * (1 - number / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def classify(student, gpt, head, names, ids, mask, classes, picks, rate):
    """Put a head on a model, train what is named on the rows picked for each step, and return the state."""
    made = student["GPTClassifier"](gpt, len(head))
    student["train_only"](made, names)
    made.score.weight.data.copy_(head)
    made.train()
    parameters = [parameter for parameter in made.parameters() if parameter.requires_grad]
    step = _descent(parameters, rate, len(picks))
    for number, rows in enumerate(picks if parameters else ()):
        longest = int(mask[rows].sum(dim=1).max())
        loss = F.cross_entropy(made(ids[rows, :longest], mask[rows, :longest]), classes[rows])
        step(number, loss)
    return state(made)


def instruct(student, gpt, names, pairs, texts, end_id, picks, rate, shuffle_seed=None):
    """Train a model on instructions, labels shuffled where a seed says so, and return the state.

    `pairs` are prompts and completions, `texts` holds the ids of each.
    """
    examples = [student["encode_example"](texts.__getitem__, *pair, end_id) for pair in pairs]
    for name, parameter in gpt.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(names)))
    step = _descent([parameter for parameter in gpt.parameters() if parameter.requires_grad], rate, len(picks))
    generator = torch.Generator().manual_seed(shuffle_seed or 0)
    for number, rows in enumerate(picks):
        ids, labels, _ = student["collate"]([examples[row] for row in rows], end_id)
        if shuffle_seed is not None:
            counted = labels != -100
            some = labels[counted]
            labels[counted] = some[torch.randperm(len(some), generator=generator)]
        step(number, student["masked_loss"](gpt(ids), labels))
    return state(gpt)
