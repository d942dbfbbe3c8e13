"""m14_pruning's stretch goal: to lose less without three fifths of the weights, by one's own masks and recipe."""

import math

import torch

from grader.judge import expect, expect_tensor
from grader.judge.outcomes import CheckFailed
from grader.judge.probes import model

from . import probes
from .oracle_learning import Stories

STEPS = 50


def measure(student, draw, data, weights):
    """Return what a held-out token costs, in nats, without three fifths of the weights and after some training."""
    stories, recipe = Stories(draw, data), usual() | own_recipe(student)
    parts = {name: getattr(student, name) for name in ("linear_weights", "cubic_sparsity", "finetune")}
    parts["global_masks"] = own_masks(student)
    gpt = student.plant(model).build(stories.sizes, stories.start)
    windows = stories.windows(draw, STEPS)
    found = student.plant(probes).gradually(parts, gpt, windows, stories.MOST, **recipe)
    for name, value in stories.start.items():
        expect_tensor(found.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
    zeros, total = stories.zeros(found)
    said = f"{zeros:,} of {total:,} weights are 0 in the end, expected at least {round(stories.MOST * total):,}."
    expect(zeros >= round(stories.MOST * total), said, evidence="value")
    return stories.loss({name: found[name] for name in stories.start})


def usual():
    """Return what is taken where a recipe says nothing."""
    return {"rate": Stories.RATE, "begin": 0, "end": STEPS // 2}


def own_masks(student):
    """Return the student's `masks(weights, sparsity)` where there is one, else global_masks."""
    try:
        return student.masks
    except CheckFailed:
        return student.global_masks


def own_recipe(student):
    """Return what the student's `recipe()` says, or nothing where there is none. Raises CheckFailed."""
    try:
        function = student.recipe
    except CheckFailed:
        return {}
    found = function()
    good = {"rate": number, "begin": whole, "end": whole}
    if type(found) is not dict or not all(name in good and good[name](found[name]) for name in found):
        raise CheckFailed(f"recipe() returns a dict of numbers by these names, any of them: {', '.join(good)}.")
    return found


def number(value):
    """Whether this is a finite number that is not negative."""
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def whole(value):
    """Whether this is the number of a step."""
    return type(value) is int and abs(value) <= STEPS
