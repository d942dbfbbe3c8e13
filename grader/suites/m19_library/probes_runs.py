"""What the checks of m19_library's trainer need in the worker: a line to learn, callbacks that note, and whole runs."""

import random

import torch
from torch import nn


class Line(nn.Module):
    """A linear layer without a bias, with dropout if need be; it counts its calls, and notes its mode at each."""

    count: torch.Tensor

    def __init__(self, weight, rate, noise):
        super().__init__()
        self.weight, self.drop, self.noise = nn.Parameter(weight.clone()), nn.Dropout(rate), noise
        self.register_buffer("count", torch.tensor(0))
        self.modes = []

    def forward(self, x):
        """(rows, d) to (rows,)."""
        self.modes.append(self.training and self.drop.training)
        self.count += 1
        return self.drop(x) @ self.weight * (1 + self.noise * random.random())


class Noting:
    """A callback that hears some events, and notes them in a list that several share."""

    def __init__(self, name, events, heard, at=None, act=None):
        self._name, self._heard, self._at, self._act = name, heard, at, act
        for event in events:
            setattr(self, event, self._hears(event))

    def _hears(self, event):
        def note(trainer):
            place = [-1, -1, -1]
            if hasattr(trainer, "losses"):
                place = [trainer.step, trainer.epoch, len(trainer.losses)]
            self._heard.append([self._name, event, *place])
            if self._at is not None and self._at == (event, trainer.step):
                self._act(trainer)

        return note


def squares(model, batch):
    """Return the mean of the squared errors of a batch."""
    x, y = batch
    return ((model(x) - y) ** 2).mean()


class Loader:
    """An epoch's batches; it may draw when somebody begins to go through them, as torch's own loader does."""

    def __init__(self, batches, dice):
        self.batches, self.dice = batches, dice

    def __iter__(self):
        if self.dice:
            torch.rand(1), random.random()
        return iter(self.batches)


def source(data, dice, seen):
    """Return batches(epoch), which notes what it is asked for."""

    def batches(epoch):
        seen.append(epoch)
        return Loader(data[epoch], dice)

    return batches


def trainer_of(trainer, weight, data, accumulation, callbacks=(), rate=0.0, noise=0.0, dice=False, momentum=0.9):
    """Return a trainer of a Line by gradient descent, and the epochs that it will have asked for."""
    model = Line(weight, rate, noise)
    seen: list[int] = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=momentum)
    made = trainer(model, optimizer, squares, source(data, dice, seen), accumulation, callbacks)
    return made, seen


def summary(made, returned=None):
    """Return what a trainer has come to."""
    return {
        "weight": made.model.weight.detach().clone(),
        "count": int(made.model.count),
        "losses": list(made.losses),
        "step": made.step,
        "epoch": made.epoch,
        "returned": returned,
    }


def run(trainer, weight, data, accumulation, epochs, stale=False):
    """Train; with `stale` there are gradients from before."""
    made, _ = trainer_of(trainer, weight, data, accumulation)
    if stale:
        made.model.weight.grad = torch.ones_like(weight)
    returned = made.train(epochs)
    return summary(made, returned) | {"modes": made.model.modes}


def events(trainer, weight, data, accumulation, epochs, deaf):
    """Train with two callbacks; the second is deaf to these events. Return what they heard."""
    heard: list[list] = []
    names = ["train_begin", "epoch_begin", "step_begin", "substep_end", "step_end", "epoch_end", "train_end"]
    names = [f"on_{name}" for name in names]
    one = Noting("first", names, heard)
    other = Noting("second", [name for name in names if name not in deaf], heard)
    made, _ = trainer_of(trainer, weight, data, accumulation, [one, other])
    made.train(epochs)
    return heard


class Looking:
    """A callback that puts the model in eval mode after each step, as who looks at it does."""

    def on_step_end(self, trainer):
        """Look."""
        trainer.model.eval()


def looked_at(trainer, weight, data, accumulation, epochs):
    """Train with a callback that puts the model in eval mode after each step; return its modes."""
    made, _ = trainer_of(trainer, weight, data, accumulation, [Looking()])
    made.model.eval()
    made.train(epochs)
    return made.model.modes


def stopped(trainer, weight, data, accumulation, epochs, at, again):
    """Stop in training after some step; return what was heard, and, with `again`, what the trainer then comes to."""
    heard: list[list] = []
    names = ["on_step_end", "on_epoch_end", "on_train_end"]
    stop = Noting("first", names, heard, ("on_step_end", at), lambda made: setattr(made, "stop", True))
    made, _ = trainer_of(trainer, weight, data, accumulation, [stop])
    made.train(epochs)
    found = summary(made) | {"heard": list(heard)}
    return found if not again else summary(made, made.train(epochs))


def resumed(trainer, weights, data, accumulation, epochs, at, folder, seeds, options, before=None):
    """Train once through, saving behind a step (or behind the epochs `before`); then resume in a new trainer.

    Return what both have come to, and for which epochs the second one asked.
    """
    found = []
    save = Noting("first", ["on_step_end"], [], ("on_step_end", at), lambda made: made.save(folder))
    made, _ = trainer_of(trainer, weights[0], data, accumulation, [save], **options)
    torch.manual_seed(seeds[0]), random.seed(seeds[0])
    if before is not None:
        made.train(before)
        made.save(folder)
    found.append(summary(made, made.train(epochs)))
    torch.manual_seed(seeds[1]), random.seed(seeds[1])
    new, seen = trainer_of(trainer, weights[1], data, accumulation, [], **options)
    new.resume(folder)
    place = summary(new)
    found += [summary(new, new.train(epochs)), place]
    return [*found, seen]
