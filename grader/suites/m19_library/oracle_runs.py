"""The reference for m19_library's trainer: gradient descent on lines by formulas, and its classic mistakes."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]  # (rows, d) and (rows,)
RATE, MOMENTUM = 0.05, 0.9

NOT_DIVIDED = "the gradients of a step's batches are added up, not averaged"
DIVIDED_ALIKE = "the rest of an epoch is divided by `accumulation` too: it has fewer batches"
DROPPED = "the rest of an epoch, fewer batches than `accumulation`, is lost"
ACROSS = "a step takes batches of two epochs: the rest of an epoch is a step of its own"
LAST_ALONE = "a step goes along its last batch's gradient alone: the others are forgotten"
KEPT = "gradients of earlier steps are kept"
ROWS = "batches weigh by their rows: a step's loss is the mean of its batches' losses"
EACH = "a step is made on each batch, whatever `accumulation` says"
LAST_LOSS = "a step's loss is that of its last batch: it is the mean over all of them"
SUMMED = "a step's losses are added up, not averaged"
ALL_LOSSES = "there is a loss for each batch: there is one for each step"
ONE_EPOCH = "one epoch is trained, whatever `epochs` says"
FIRST_EPOCH = "every epoch has the batches of epoch 0: it is batches(epoch)"
NEXT_EPOCH = "epochs are counted from 1: the first is 0"


def data(draw: Any, counts: list[int], width: int = 3) -> list[list[Batch]]:
    """Draw epochs of so many batches, each with its own number of rows."""
    line = draw.normal(width, dtype=torch.float64)
    epochs = []
    for count in counts:
        batches = []
        for number in range(count):
            x = draw.normal(2 + (number * 2 + count) % 5, width, dtype=torch.float64)
            batches.append((x, x @ line + draw.normal(len(x), scale=0.3, dtype=torch.float64)))
        epochs.append(batches)
    return epochs


def groups(epochs: list[list[Batch]], accumulation: int, how: str = "") -> list[list[Batch]]:
    """Return the batches of each step."""
    if how == EACH:
        accumulation = 1
    parts = [list(chain(*epochs))] if how == ACROSS else epochs
    found = [
        part[start : start + accumulation] for part in parts for start in range(0, len(part), accumulation)
    ]  # fmt: skip
    return [group for group in found if len(group) == accumulation] if how == DROPPED else found


def run(weight: Tensor, epochs: list[list[Batch]], accumulation: int, how: str = "") -> tuple[Tensor, list[float]]:
    """Return the weight after all steps, and the loss of each."""
    weight, losses = weight.clone(), []
    speed, left = torch.zeros_like(weight), torch.zeros_like(weight)
    for group in groups(epochs, accumulation, how):
        gradients, costs = [], []
        for x, y in group:
            gap = x @ weight - y
            costs.append(float((gap**2).mean()))
            gradients.append(2 * x.T @ gap / len(x))
        counts = [len(x) if how == ROWS else 1 for x, _ in group]
        share = 1 if how == NOT_DIVIDED else accumulation if how == DIVIDED_ALIKE else sum(counts)
        gradient = sum((count * part for count, part in zip(counts, gradients, strict=True)), torch.zeros(3).double())
        gradient = gradients[-1] / share if how == LAST_ALONE else gradient / share
        if how == KEPT:
            gradient = left = left + gradient
        loss = sum(count * cost for count, cost in zip(counts, costs, strict=True)) / sum(counts)
        if how in (NOT_DIVIDED, SUMMED):
            loss = sum(costs)
        elif how == LAST_LOSS:
            loss = costs[-1]
        losses += costs if how == ALL_LOSSES else [loss]
        speed = MOMENTUM * speed + gradient
        weight = weight - RATE * speed
    return weight, losses


IN_WEIGHTS = (NOT_DIVIDED, DIVIDED_ALIKE, DROPPED, ACROSS, LAST_ALONE, KEPT, ROWS, EACH)
IN_LOSSES = (*IN_WEIGHTS, LAST_LOSS, SUMMED, ALL_LOSSES)


def others(epochs: list[list[Batch]]) -> dict[str, list[list[Batch]]]:
    """Return which batches are trained on by mistake."""
    return {ONE_EPOCH: epochs[:1], FIRST_EPOCH: [epochs[0]] * len(epochs)}


def heard(counts: list[int], accumulation: int, deaf: tuple[str, ...] = ()) -> list[list[Any]]:
    """Return what two callbacks hear, the second one deaf to some: name, event, steps, epoch, losses."""
    found: list[list[Any]] = []
    step = 0

    def tell(event: str, epoch: int) -> None:
        for name in ("first", "second"):
            if name == "first" or event not in deaf:
                found.append([name, event, step, epoch, step])

    tell("on_train_begin", 0)
    for epoch, count in enumerate(counts):
        tell("on_epoch_begin", epoch)
        for start in range(0, count, accumulation):
            tell("on_step_begin", epoch)
            for _ in range(min(accumulation, count - start) - 1):
                tell("on_substep_end", epoch)
            step += 1
            tell("on_step_end", epoch)
        tell("on_epoch_end", epoch)
    tell("on_train_end", len(counts))
    return found


def heard_misses(right: list[list[Any]]) -> dict[str, list[list[Any]]]:
    """Return what is heard after the classic mistakes."""
    swapped = {"on_substep_end": "on_step_end"}
    late = [[name, event, step - (event == "on_step_end"), epoch, count] for name, event, step, epoch, count in right]
    behind = [[name, event, step, epoch, count - (event == "on_step_end")] for name, event, step, epoch, count in right]
    both = [[name, event, step - (event == "on_step_end"), epoch, count - (event == "on_step_end")]
            for name, event, step, epoch, count in right]  # fmt: skip
    early = [[*one[:3], one[3] + (one[1] == "on_epoch_end"), one[4]] for one in right]
    more = []
    for one in right:
        if one[:2] == ["first", "on_step_end"]:
            more += [[name, "on_substep_end", one[2] - 1, one[3], one[4] - 1] for name in ("first", "second")]
        more.append(one)
    return {
        "on_substep_end is heard behind a step's last batch too": more,
        "on_step_end is heard before the step counts": both,
        "`epoch` is counted before on_epoch_end is heard": early,
        "on_train_begin is not heard": [one for one in right if one[1] != "on_train_begin"],
        "on_train_end is not heard": [one for one in right if one[1] != "on_train_end"],
        "callbacks are not called with the trainer": [[*one[:2], -1, -1, -1] for one in right],
        "callbacks hear no on_substep_end": [one for one in right if one[1] != "on_substep_end"],
        "on_step_end is heard after every batch": [[one[0], swapped.get(one[1], one[1]), *one[2:]] for one in right],
        "`step` is counted after on_step_end is heard": late,
        "the loss joins `losses` after on_step_end is heard": behind,
        "on_epoch_begin and on_epoch_end are not heard": [one for one in right if "epoch" not in one[1]],
        "on_train_begin and on_train_end are not heard": [one for one in right if "train" not in one[1]],
        "callbacks are called in reverse order": _reversed(right),
    }


def _reversed(right: list[list[Any]]) -> list[list[Any]]:
    found: list[list[Any]] = []
    for number, one in enumerate(right):
        if one[0] == "second" and found and right[number - 1][0] == "first" and right[number - 1][1:] == one[1:]:
            found.insert(len(found) - 1, one)
        else:
            found.append(one)
    return found
