"""The reference for m14_pruning's schedule and fine-tuning, and what the classic mistakes make of them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import probes

Misses = dict[str, Callable[[], Any]]

MOMENTUM = "gradients are masked, and weights are not: momentum from before moves what is masked"
REGROWN = "weights are masked once, before training: what has gone grows again"
LATE = "weights are masked after the first step, not before it: the first loss sees all of them"
END = "weights are masked in the end alone: while it is trained the model counts on them"
ENDS = "weights are masked before the first step and after the last: in between what has gone grows again"
BEFORE = "weights are masked before the optimizer's step, which moves them again: mask them after it"
BETWEEN = "weights are masked between backward() and the step alone: no loss and no end finds them at 0"
LAST = "weights are masked before each step, and not after the last one"
STILL_MOVED = "gradients are masked, and weights in the end: between, momentum from before moves what is masked"
EMPTY = "without a batch nothing is masked: what is masked is 0 before the first batch comes"
ADDED = "gradients of the batches add up: zero_grad is missing"
STALE = "gradients that were left from before take part in the first step"
STILL = "no step is taken"


def rising(step: int, begin: int, end: int, final: float, initial: float = 0.0, power: int = 3) -> float:
    """Return the sparsity for a step."""
    if step <= begin:
        return initial
    if step >= end:
        return final
    left = (end - step) / (end - begin)
    return final * (1 - left**power) + initial * left**power


def rising_misses(step: int, begin: int, end: int, final: float, initial: float = 0.0) -> Misses:
    """Compute what the classic mistakes give."""
    t = (step - begin) / (end - begin)
    inside = min(max(t, 0.0), 1.0)

    def as_tensor(value: float) -> Callable[[], Tensor]:
        return lambda: torch.tensor(value, dtype=torch.float64)

    return {
        "the rise is linear: what is left to go shrinks with a cube": as_tensor(
            rising(step, begin, end, final, initial, power=1)
        ),
        "the rise is quadratic: the power is 3": as_tensor(rising(step, begin, end, final, initial, power=2)),
        "the rise is slow at first and fast in the end: the cube is of 1 - t": as_tensor(
            initial + (final - initial) * inside**3
        ),
        "before begin and after end the formula goes on: there it is initial and final": as_tensor(
            final + (initial - final) * (1 - t) ** 3
        ),
        "initial is left out": as_tensor(rising(step, begin, end, final)),
        "initial is added on top: the rise goes from initial to final": as_tensor(
            initial + final * (1 - (1 - inside) ** 3)
        ),
        "steps are counted from 0, not from begin": as_tensor(
            final + (initial - final) * (1 - min(max(step / end, 0.0), 1.0)) ** 3 if end else final
        ),
        "end is taken for the number of steps of the rise: it ends at step end": as_tensor(
            rising(step, begin, begin + end, final, initial) if end > 0 else final
        ),
        "the rise is one step too early": as_tensor(rising(step + 1, begin, end, final, initial)),
        "the rise is one step too late": as_tensor(rising(step - 1, begin, end, final, initial)),
        "what is to stay comes back, not what is to go": as_tensor(1 - rising(step, begin, end, final, initial)),
    }


def tuned(weights: Any, masks: Any, before: Any, batches: Any, kind: str) -> dict[str, Any]:
    """Fine-tune in the judge, as the contract says."""
    return probes.tuned(_finetune, weights, masks, before, batches, kind)


def tuned_misses(weights: Any, masks: Any, before: Any, batches: Any, kind: str) -> dict[str, Callable[[], Any]]:
    """Fine-tune in the judge with one mistake each."""

    def by(**switches: Any) -> Callable[[], Any]:
        return lambda: probes.tuned(lambda *args: _finetune(*args, **switches), weights, masks, before, batches, kind)

    if not batches:
        return {EMPTY: by(masked="")}
    return {
        MOMENTUM: by(masked="first", gradients=True),
        STILL_MOVED: by(masked="first end", gradients=True),
        REGROWN: by(masked="first"),
        LATE: by(masked="step"),
        END: by(masked="end"),
        ENDS: by(masked="first end"),
        BEFORE: by(masked="first backward"),
        BETWEEN: by(masked="backward"),
        LAST: by(masked="begin"),
        ADDED: by(zero="never"),
        STALE: by(zero="after"),
        STILL: by(step=False),
    }


def of_state(found: Callable[[], Any], name: str) -> Callable[[], Tensor]:
    """Return what gives a parameter of what was found."""
    return lambda: found()["state"][name]


def of_losses(found: Callable[[], Any]) -> Callable[[], Tensor]:
    """Return what gives the losses of what was found."""
    return lambda: torch.tensor(found()["losses"])


def _finetune(
    model: Any,
    masks: dict[str, Tensor],
    batches: Any,
    loss: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    masked: str = "first step",
    gradients: bool = False,
    zero: str = "before",
    step: bool = True,
) -> list[float]:
    """Train with masks; the switches make the mistakes, and `masked` names the points at which weights are masked."""
    own, losses = dict(model.named_parameters()), []

    def reach(point: str) -> None:
        for name, mask in masks.items() if point in masked.split() else ():
            own[name].data[~mask] = 0.0

    reach("first")
    for batch in batches:
        reach("begin")
        if zero == "before":
            optimizer.zero_grad()
        value = loss(model, batch)
        value.backward()
        if gradients:
            for name, mask in masks.items():
                grad = own[name].grad
                assert grad is not None
                grad[~mask] = 0.0
        reach("backward")
        if step:
            optimizer.step()
        if zero == "after":
            optimizer.zero_grad()
        reach("step")
        losses.append(float(value))
    reach("end")
    return losses
