"""The reference for m09_scaling's half precision and activations, and what classic mistakes make of them."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# ── m09.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

UNDIVIDED = "the gradients are not divided by the scale"
MULTIPLIED = "the gradients are multiplied by the scale once more: divide them by it"
DEFERRED = "the gradients are divided only in step, after they were clipped: divide them in unscale_"
ANYWAY = "the step is taken although a gradient is not finite"
ONLY_NAN = "only NaN is looked for: infinity is not finite either"
ONLY_INFINITY = "only infinity is looked for: NaN is not finite either"
BELOW_ZERO = "only infinity above zero is looked for, not that below"
ANY = "one finite gradient is enough: all of them must be"
FIRST = "only one parameter's gradient is looked at"
LAST = "the last parameter's gradient decides alone: one that is not finite is enough, wherever it stands"
SUMMED = "whether their sum is finite is asked: a sum overflows where no gradient does"
STUCK = "after the first overflow no step is taken any more: unscale_ looks anew each time"
NO_BACKOFF = "the scale does not shrink after a step that was left out"
KEPT_COUNT = "the count goes on after a step that was left out: steps must be taken in a row"
NO_GROWTH = "the scale never grows"
ALWAYS = "the scale grows after every step that was taken"
ON_AND_ON = "the count is not begun anew when the scale has grown, and it grows with every step from then on"
ONCE = "the count is not begun anew when the scale has grown, and it never grows again"
LATE = "the scale grows one step too late: when growth_interval steps are taken, not when one more is"
SHRINKS = "growth_factor and backoff_factor are mixed up"
ZEROED = "what is not finite is set to 0, and the step is taken: leave it out"
REPLACED = "a parameter is given another gradient: divide in place the one that it has"
AT_ONCE = "the scale is changed before update, in unscale_ or step"
SCALES = (
    UNDIVIDED, MULTIPLIED, DEFERRED, ANYWAY, ONLY_NAN, ONLY_INFINITY, BELOW_ZERO, ANY, FIRST, LAST, SUMMED, STUCK,
    NO_BACKOFF, KEPT_COUNT, NO_GROWTH, ALWAYS, ON_AND_ON, ONCE, LATE, SHRINKS, ZEROED,
)  # fmt: skip


def scaling(
    start: list[Tensor],
    gradients: list[list[Tensor]],
    lr: float,
    options: dict[str, Any],
    max_norm: float | None,
    wrong: str = "",
) -> dict[str, Any]:
    """Return what a scaler says at each step of training, and the weights after it."""
    weights, scale, good, seen = [value.clone() for value in start], float(options["init_scale"]), 0, []
    stuck = False
    grow, shrink = options["growth_factor"], options["backoff_factor"]
    grow, shrink = (shrink, grow) if wrong == SHRINKS else (grow, shrink)
    for step in gradients:
        grads, before = [gradient * scale for gradient in step], scale
        looked = {FIRST: grads[:1], LAST: grads[-1:]}.get(wrong, grads)
        finite = all(_fine(gradient, wrong) for gradient in looked)
        stuck = wrong == STUCK and (stuck or not finite)
        if wrong == ANY:
            finite = any(_fine(gradient, wrong) for gradient in grads)
        if wrong == ZEROED:
            grads, finite = [gradient.nan_to_num(0, 0, 0) for gradient in grads], True
        if wrong == MULTIPLIED:
            grads = [gradient * scale for gradient in grads]
        elif wrong not in (UNDIVIDED, DEFERRED):
            grads = [gradient / scale for gradient in grads]
        grads = clipped(grads, max_norm)
        if wrong == DEFERRED:
            grads = [gradient / scale for gradient in grads]
        taken = (finite or wrong == ANYWAY) and not stuck
        if taken:
            weights = [weight - lr * gradient for weight, gradient in zip(weights, grads, strict=True)]
        if not finite or stuck:
            scale *= 1 if wrong == NO_BACKOFF else shrink
            good = good if wrong == KEPT_COUNT else 0
        else:
            good += 1
            interval = 1 if wrong == ALWAYS else options["growth_interval"] + (wrong == LATE)
            if (good >= interval if wrong == ON_AND_ON else good == interval) and wrong != NO_GROWTH:
                scale *= grow
                good = good if wrong in (ON_AND_ON, ONCE) else 0
        row = torch.cat([weight.flatten() for weight in weights])
        seen.append({"scale": before, "finite": finite, "taken": taken, "weights": row})
    return {"seen": seen, "scale": scale}


def _fine(gradient: Tensor, wrong: str) -> bool:
    if wrong == ONLY_NAN:
        return not bool(gradient.isnan().any())
    if wrong == ONLY_INFINITY:
        return not bool(gradient.isinf().any())
    if wrong == BELOW_ZERO:
        return not bool((gradient.isnan() | gradient.isposinf()).any())
    return bool((gradient.sum() if wrong == SUMMED else gradient).isfinite().all())


def clipped(grads: list[Tensor], max_norm: float | None) -> list[Tensor]:
    """Return gradients whose common norm is at most max_norm, as torch clips them."""
    if max_norm is None:
        return grads
    norm = torch.stack([gradient.norm() for gradient in grads]).norm()
    share = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    return [gradient * share for gradient in grads]


def history(found: dict[str, Any]) -> list[list[Any]]:
    """Return the scale before each step, whether all was finite, and whether the step was taken; and the last scale."""
    return [*([step["scale"], step["finite"], step["taken"]] for step in found["seen"]), [found["scale"]]]


def weights_of(found: dict[str, Any]) -> Tensor:
    """Return the weights after each step."""
    return torch.stack([step["weights"] for step in found["seen"]])


# ── m09.2 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

WHOLE = "everything is computed in float32: linear layers compute in half precision"
X_WHOLE = "a linear layer's input is not rounded to half precision"
WEIGHT_WHOLE = "a linear layer's weight is not rounded to half precision"
BIAS_WHOLE = "a linear layer's bias is added in float32: it is cast too"
RESULT_WHOLE = "a linear layer's result stays float32: it has the dtype that it is computed in"
OTHERS_HALF = "the layers that are not linear are given half precision: they are given float32"
LOSS_HALF = "the cross-entropy is computed in half precision: its logits are cast to float32 first"
NO_BIAS = "the bias is left out"
ALWAYS_BF = "bfloat16 is taken, whatever `dtype` says"
LOSS_SUM = "the losses of the rows are added up, not averaged"
HALF_LOSS = "the loss comes back in half precision: it is float32"
WEIGHTS_CAST = "the weights themselves are cast, and their small steps are lost from then on"
MIXES = (WHOLE, X_WHOLE, WEIGHT_WHOLE, BIAS_WHOLE, RESULT_WHOLE, OTHERS_HALF, LOSS_HALF, NO_BIAS, LOSS_SUM, ALWAYS_BF)

Parts = Sequence[Any]  # of each layer what probes.layers makes it of


def mixed(parts: Parts, x: Tensor, targets: Tensor, dtype: torch.dtype, wrong: str = "") -> tuple[Tensor, list[Tensor]]:
    """Return the loss of layers (probes.layers says which), and the gradients of their weights."""
    wanted: list[Tensor] = []
    dtype = torch.bfloat16 if wrong == ALWAYS_BF else dtype
    for part in parts:
        if part is None:
            given = x if wrong == OTHERS_HALF else x.float()
            x = (given + 1) - given
        elif isinstance(part, int):
            gain, shift = (_leaf(torch.full((part,), value), wanted) for value in (1.0, 0.0))
            given = x if wrong == OTHERS_HALF else x.float()
            x = F.layer_norm(given, (part,), gain.to(given.dtype), shift.to(given.dtype))
        else:
            weight, bias = (None if value is None else _leaf(value, wanted) for value in part)
            x = _linear(x, weight, bias, dtype, wrong)
    if wrong == LOSS_HALF:
        loss = F.cross_entropy(x.to(dtype), targets).float()
    else:
        loss = F.cross_entropy(x.float(), targets, reduction="sum" if wrong == LOSS_SUM else "mean")
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return loss.detach(), [
        torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(wanted, found, strict=True)
    ]


def _leaf(value: Tensor, wanted: list[Tensor]) -> Tensor:
    wanted.append(value.clone().requires_grad_())
    return wanted[-1]


def _linear(x: Tensor, weight: Any, bias: Any, dtype: torch.dtype, wrong: str) -> Tensor:
    x = x.float() if wrong in (WHOLE, X_WHOLE) else x.to(dtype)
    weight = weight if wrong in (WHOLE, WEIGHT_WHOLE) else weight.to(dtype)
    result = x.float() @ weight.float().T
    if bias is not None and wrong != NO_BIAS:
        result = result + (bias if wrong in (WHOLE, BIAS_WHOLE) else bias.to(dtype).float())
    return result if wrong in (WHOLE, BIAS_WHOLE, RESULT_WHOLE) else result.to(dtype)


MASTER_HALF = "the weights are kept in half precision, where a small step changes nothing"
PRODUCT_HALF = "lr times the gradient is rounded to half precision: make the gradient float32 first"
UPHILL = "the step goes uphill: it is subtracted"
NOT_IN_PLACE = "the weights that were given are as before: the step is taken in place"
MASTERS = (MASTER_HALF, PRODUCT_HALF, UPHILL)


def mastered(master: list[Tensor], steps: list[list[Tensor]], lr: float, wrong: str = "") -> list[Tensor]:
    """Return the master weights after some steps."""
    weights = [value.clone() for value in master]
    for step in steps:
        for place, (weight, gradient) in enumerate(zip(weights, step, strict=True)):
            move = (lr * gradient).float() if wrong == PRODUCT_HALF else lr * gradient.float()
            moved = weight + move if wrong == UPHILL else weight - move
            weights[place] = moved.to(gradient.dtype).float() if wrong == MASTER_HALF else moved
    return weights


# ── m09.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

NEW_DICE = "the second run has other random numbers: dropout falls on other places than in the first"
ONES = "the gradient that comes back is taken for ones"
DICE_LEFT = "the dice are left where the second run has put them: put back the state from before it"
X_NONE = "x gets no gradient: let its copy want one where the original does"
X_TWICE = "x gets twice its gradient: detach the arguments before the second run"
UNSEEN = "no gradient reaches the parameters that function uses"
NOT_TWICE = "function runs once: what it computed is kept"
THRICE = "function runs more than twice"
KEPT = "what function computes on the way is kept"
DICE = (NEW_DICE, ONES, DICE_LEFT)


def checkpointed(
    matrices: list[Tensor],
    x: Tensor,
    shift: Tensor,
    order: Tensor,
    times: int,
    weights: Tensor,
    seed: int,
    wrong: str = "",
) -> dict[str, Any]:
    """Return what probes.checkpointed finds where nothing is checkpointed."""
    dice = torch.Generator().manual_seed(seed)
    first, second = (matrix.clone().requires_grad_() for matrix in matrices)
    x = x.clone().requires_grad_()
    rows = x.shape[0], first.shape[1]

    def run() -> Tensor:
        kept = torch.rand(rows, generator=dice) > 0.4
        return torch.sin(torch.tanh(x @ first + shift)[:, order] * times * kept) @ second

    result = run()
    between = torch.rand(3, generator=dice)
    graph = run() if wrong == NEW_DICE else result
    grads = torch.autograd.grad(
        (graph * (torch.ones_like(weights) if wrong == ONES else weights)).sum(), (x, first, second)
    )
    after = between if wrong == DICE_LEFT else torch.rand(3, generator=dice)
    return {"result": result.detach(), "x": grads[0], "matrices": list(grads[1:]), "between": between, "after": after}


def largest_gap(one: Tensor, other: Tensor) -> float:
    """Return by how much two tensors differ at most; infinite where one of them is not finite."""
    gap = float((one.double() - other.double()).abs().max())
    return gap if math.isfinite(gap) else math.inf
