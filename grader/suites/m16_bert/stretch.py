"""m16_bert's stretch goal: to read a log better after as many steps, by one's own choice of holes and rate."""

import math

import torch

from grader.judge import FLOAT32_LAYER, expect_close
from grader.judge.outcomes import CheckFailed

from . import oracle_heads as heads
from .oracle_learning import Logbook

STEPS = Logbook.STEPS
USUAL = {"chosen": 0.15, "masked": 0.8, "random": 0.1, "rate": Logbook.RATE}
LARGEST = 10.0  # rate


def measure(student, draw, data, weights):
    """Return what a held-out hole costs, in nats, after 60 steps of 16 pairs by the student's recipe."""
    logbook, recipe = Logbook(draw, data), own_recipe(student)
    tokens, pairs, follows = draw.normal(3, 5, 7), draw.normal(3, 2), torch.tensor([0, 1, 1])
    labels = draw.integers(0, 7, 3, 5).where(draw.normal(3, 5) > 0, -100)
    expected = heads.loss(tokens, labels, pairs, follows).float()
    found = student.pretraining_loss((tokens, pairs), labels, follows)
    expect_close(found, expected, atol=FLOAT32_LAYER, what="the loss")
    rates = tuple(recipe[name] for name in ("chosen", "masked", "random"))
    seed, batches = draw.random.randrange(10**6), logbook.batches(draw, STEPS)
    cost = logbook.after(student, batches, seed, recipe["rate"], rates=(rates,))
    if not math.isfinite(cost):
        raise CheckFailed("By this recipe the model's weights become so large that it gives no numbers any more.")
    return cost


def own_recipe(student):
    """Return what the student's `recipe()` says on top of the check's own recipe. Raises CheckFailed."""
    try:
        function = student.recipe
    except CheckFailed:
        return dict(USUAL)
    found = function()
    good = type(found) is dict and all(fits(name, value) for name, value in found.items())
    recipe = USUAL | found if good else USUAL
    if not good or recipe["masked"] + recipe["random"] > 1:
        raise CheckFailed(
            'recipe() returns a dict with some of "chosen", "masked" and "random", shares of which the last two are at '
            'most 1 together, and "rate", a number that is not negative.'
        )
    return recipe


def fits(name, value):
    """Whether a recipe may say this."""
    if name not in USUAL or type(value) not in (int, float) or not math.isfinite(value):
        return False
    return 0 <= value <= (LARGEST if name == "rate" else 1)
