"""m10_finetuning's stretch goal: to tell more spam with as many steps, by one's own choice of what is trained."""

import math

import torch

from grader.judge import FLOAT32_OP, expect_close, expect_tensor
from grader.judge.outcomes import CheckFailed

from . import oracle, probes
from .oracle_learning import Messages

STEPS = Messages.STEPS
LONGEST = 100  # names


def measure(student, draw, data, weights):
    """Return what a held-out message costs, in nats, after 80 steps of 24 messages by the student's recipe."""
    messages, recipe = Messages(draw, data), own_recipe(student)
    some, mask = draw.normal(24, 44, 5), messages.mask[:24]
    expected = oracle.picked(some[:, : mask.shape[1]], oracle.last_places(mask))
    expect_close(student.last_token(some[:, : mask.shape[1]], mask), expected, atol=FLOAT32_OP, what="the last token")
    parts = {name: getattr(student, name) for name in ("GPTClassifier", "train_only")}
    gpt, head = messages.gpt.inside(student, draw), draw.normal(2, messages.gpt.sizes["d_model"], scale=0.02)
    given = messages.ids, messages.mask, messages.classes, messages.picks(draw, STEPS), recipe["rate"]
    found = student.plant(probes).classify(parts, gpt, head, recipe["train"], *given)
    for name, value in messages.gpt.start.items():
        expect_tensor(found.get(f"body.{name}"), shape=tuple(value.shape), dtype=torch.float32, what=f"body.{name}")
    expect_tensor(found.get("score.weight"), shape=tuple(head.shape), dtype=torch.float32, what="score.weight")
    return messages.measure(found)[0]


def own_recipe(student):
    """Return what the student's `recipe()` says on top of the check's own recipe. Raises CheckFailed."""
    recipe = {"train": list(Messages.TRAINED), "rate": Messages.RATE}
    try:
        function = student.recipe
    except CheckFailed:
        return recipe
    found = function()
    good = {"train": names, "rate": rate}
    if type(found) is not dict or not all(name in good and good[name](found[name]) for name in found):
        raise CheckFailed(
            'recipe() returns a dict with "train", a list of names, and "rate", a number, or one of them.'
        )
    return recipe | found


def names(value):
    """Whether this is a list of some names."""
    return type(value) is list and len(value) <= LONGEST and all(type(name) is str for name in value)


def rate(value):
    """Whether this is a finite number that is not negative."""
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
