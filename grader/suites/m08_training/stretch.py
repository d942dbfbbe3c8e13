"""m08_training's stretch goal: to learn more from as many stories, by a recipe of one's own."""

import math

import torch

from grader.judge import expect_tensor
from grader.judge.outcomes import CheckFailed
from grader.judge.probes import model, stretch

from . import oracle, probes

STEPS, BATCH = 160, 24
RATE = 2e-2
RECIPE = {
    "peak": RATE,
    "floor": RATE / 10,
    "warmup": STEPS // 10,
    "weight_decay": 0.1,
    "betas": (0.9, 0.95),
    "max_norm": 1.0,
}


def measure(student, draw, data, weights):
    """Return what held-out stories cost, in nats a word, after 160 steps of 24 stories by the student's recipe."""
    recipe, start = RECIPE | own_recipe(student), oracle.start(draw)
    train, heldout = oracle.stories(data, draw.permutation(oracle.SIZES["vocab_size"]))
    planted, inside = student.plant(probes), student.plant(stretch)
    trusted = student.plant(model).build(oracle.SIZES, start)
    gpt = planted.finished(trusted, oracle.SIZES, start, draw.integers(0, oracle.SIZES["vocab_size"], 8, 24))
    parts = {name: getattr(student, name) for name in ("AdamW", "decay_groups")}
    optimizer = inside.optimizer(parts, gpt, recipe["weight_decay"], lr=recipe["peak"], betas=recipe["betas"])
    rates = {name: recipe[name] for name in ("peak", "floor", "warmup")}
    schedule = planted.plan(student.learning_rate, **rates, total=STEPS)

    def batch():
        rows = train[draw.integers(0, len(train), BATCH)]
        return rows[:, :-1], rows[:, 1:]

    next_batch = student.callback(batch)
    student.train(gpt, optimizer, next_batch, steps=STEPS, schedule=schedule, max_norm=recipe["max_norm"])
    learned = planted.state(gpt)
    for name, value in start.items():
        expect_tensor(learned.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
    return oracle.heldout_loss({name: learned[name] for name in start}, heldout)


def own_recipe(student):
    """Return what the student's `recipe()` says, or nothing where there is none. Raises CheckFailed."""
    try:
        function = student.recipe
    except CheckFailed:
        return {}
    found = function()
    good = {"betas": pair, "warmup": whole, "max_norm": lambda value: value is None or number(value)}
    if type(found) is not dict or not all(name in RECIPE and good.get(name, number)(found[name]) for name in found):
        raise CheckFailed(f"recipe() returns a dict of numbers by these names, any of them: {', '.join(RECIPE)}.")
    return found


def number(value):
    """Whether this is a finite number that is not negative."""
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def whole(value):
    """Whether this is a number of steps before the last."""
    return type(value) is int and 0 <= value < STEPS


def pair(value):
    """Whether these are two shares below 1."""
    return type(value) in (tuple, list) and len(value) == 2 and all(number(part) and part < 1 for part in value)
