"""m12_preference's stretch goal: to earn more at a smaller distance, by one's own choice of the rounds' numbers."""

import math

import torch

from grader.judge import FLOAT32_LAYER, expect_close, expect_tensor
from grader.judge.outcomes import CheckFailed
from grader.judge.probes import model

from . import oracle_rewards, probes
from .oracle_learning import Rounds

PRICE = 0.1  # of a nat of KL, in rewards
OWN = {"size": (2, 64), "passes": (1, 8), "rate": (0.0, 10.0), "beta": (0.0, 100.0), "eps": (0.0, 100.0)}
COMPLETIONS = Rounds.RECIPE["groups"] * Rounds.RECIPE["size"]  # a round, whatever the size of its groups


def measure(student, draw, data, weights):
    """Return what a completion earns after 25 rounds of 64, less a tenth of its KL in nats, by the student's recipe."""
    rounds, recipe = Rounds(draw), own_recipe(student)
    mask = torch.arange(6) < draw.integers(1, 7, 4, 1)
    old, gains = -1 - draw.normal(4, 6).abs(), draw.normal(4, 1) + 0.3
    logp = old + draw.normal(4, 6, scale=0.5)
    expected = oracle_rewards.clipped_loss(logp, old, gains, mask).float()
    expect_close(student.clipped_loss(logp, old, gains, mask), expected, atol=FLOAT32_LAYER, what="the clipped loss")
    names = ("token_logprobs", "group_advantages", "clipped_loss", "kl_estimates")
    parts = {name: getattr(student, name) for name in names}
    models = [student.plant(model).build(rounds.SIZES, rounds.start) for _ in range(2)]
    given = rounds.recipe(**recipe, groups=COMPLETIONS // recipe["size"])
    found = student.plant(probes).follow(parts, *models, rounds.worth, given, int(draw.integers(0, 2**31, 1)), False)
    for name, value in rounds.start.items():
        expect_tensor(found.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
    reached = rounds.measure(draw, found)
    figure = reached.earned - PRICE * reached.kl * rounds.RECIPE["count"]
    if not math.isfinite(figure):
        raise CheckFailed("By this recipe the policy's weights become so large that it gives no numbers any more.")
    return figure


def own_recipe(student):
    """Return what the student's `recipe()` says on top of the check's own recipe. Raises CheckFailed."""
    recipe = {name: Rounds.RECIPE[name] for name in OWN}
    try:
        function = student.recipe
    except CheckFailed:
        return recipe
    found = function()
    if type(found) is not dict or not all(fits(name, value) for name, value in found.items()):
        raise CheckFailed(
            'recipe() returns a dict with some of "size" (2 to 64, a divisor of 64) and "passes" (1 to 8), whole '
            'numbers, and "rate", "beta" and "eps", numbers that are not negative.'
        )
    return recipe | found


def fits(name, value):
    """Whether a recipe may say this."""
    if name not in OWN or type(value) not in (int, float) or not math.isfinite(value):
        return False
    whole = name in ("size", "passes")
    low, high = OWN[name]
    return low <= value <= high and (not whole or type(value) is int) and (name != "size" or COMPLETIONS % value == 0)
