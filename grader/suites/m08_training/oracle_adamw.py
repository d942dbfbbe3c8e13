"""AdamW in float64, with a switch for each classic mistake, and torch's own."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .oracle import Group, Misses, Rows, flat

DEFAULTS = {"betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}
EFFICIENT = (
    "eps is added before the second moment is corrected (Kingma's efficient form): correct the average, then add it"
)


def adamw(
    groups: Sequence[Group],
    gradients: Rows,
    options: dict[str, Any],
    rates: Any = None,
    *,
    coupled: bool = False,
    corrected: str = "both",
    late: int = 0,
    eps: str = "outside",
    decay: str = "lr",
    one_count: bool = False,
    first_group: bool = False,
    idle: bool = False,
    square: bool = True,
    swapped: bool = False,
    forget: int = 0,
    forgotten: str = "all",
    alias: int = 0,
    reset: bool = False,
    deaf: bool = False,
) -> Tensor:
    """Return all parameters after each step, side by side; the switches make the mistakes."""
    options = DEFAULTS | options
    numbers = [{**options, **{name: value for name, value in g.items() if name != "params"}} for g in groups]
    cells = [
        {"w": value.double(), "m": 0.0, "v": 0.0, "t": 0, "n": 0 if first_group else n}
        for n, group in enumerate(groups)
        for value in group["params"]
    ]
    started = [own["lr"] for own in numbers]
    history, shared = [], 0
    for number, row in enumerate(gradients):
        if rates and rates[number] is not None and not deaf:
            for own, new in zip(numbers, rates[number], strict=True):
                own.update(new if isinstance(new, dict) else {"lr": new})
        for place, (cell, gradient) in enumerate(zip(cells, row, strict=True)):
            if forget and number == forget:
                cell |= {"t": 0} if forgotten == "counts" else {"m": 0.0, "v": 0.0, "t": 0}
            if alias and number == alias and (last := gradients[number - 1][place]) is not None:
                b1, b2 = numbers[cell["n"]]["betas"]
                for _ in range(3):
                    cell["m"] = b1 * cell["m"] + (1 - b1) * last.double()
                    cell["v"] = b2 * cell["v"] + (1 - b2) * last.double() ** 2
            if gradient is None and not idle:
                if reset:
                    cell |= {"m": 0.0, "v": 0.0, "t": 0}
                continue
            own, g = numbers[cell["n"]], 0.0 * cell["w"] if gradient is None else gradient.double()
            lr, (b1, b2) = own["lr"], own["betas"][::-1] if swapped else own["betas"]
            shared, cell["t"] = shared + 1, cell["t"] + 1
            t = (shared if one_count else cell["t"]) + late
            if coupled:
                g = g + own["weight_decay"] * cell["w"]
            cell["m"] = b1 * cell["m"] + (1 - b1) * g
            cell["v"] = b2 * cell["v"] + (1 - b2) * (g * g if square else g.abs())
            c1 = 1 - b1**t if corrected in ("both", "first") else 1.0
            c2 = 1 - b2**t if corrected in ("both", "second") else 1.0
            root = {
                "outside": lambda v=cell["v"], c=c2, e=own["eps"]: (v / c).sqrt() + e,
                "inside": lambda v=cell["v"], c=c2, e=own["eps"]: (v / c + e).sqrt(),
                "before": lambda v=cell["v"], c=c2, e=own["eps"]: (v.sqrt() + e) / c**0.5,
            }[eps]()
            shrink = {"lr": lr, "bare": 1.0, "initial": started[cell["n"]]}.get(decay, 0.0) * own["weight_decay"]
            cell["w"] = cell["w"] * (1.0 if coupled else 1 - shrink) - lr * cell["m"] / c1 / root
            if decay == "after":
                cell["w"] = cell["w"] * (1 - lr * own["weight_decay"])
        history.append([cell["w"] for cell in cells])
    return flat(history)


def adamw_misses(groups: Sequence[Group], gradients: Rows, options: dict[str, Any], rates: Any = None) -> Misses:
    """Compute what the classic mistakes give for the same gradients."""
    dtype = groups[0]["params"][0].dtype

    def wrong(**switches: Any) -> Callable[[], Tensor]:
        return lambda: adamw(groups, gradients, options, rates, **switches).to(dtype)

    return {
        "the weight decay is added to the gradient (L2); it must be decoupled, w times (1 - lr * weight_decay)": wrong(
            coupled=True
        ),
        "the decay is not multiplied by lr": wrong(decay="bare"),
        "there is no weight decay": wrong(decay="none"),
        "the decay comes after the step and shrinks it too: decay first": wrong(decay="after"),
        "the bias correction is missing": wrong(corrected="none"),
        "the bias correction of the second moment is missing": wrong(corrected="first"),
        "the bias correction of the first moment is missing": wrong(corrected="second"),
        "the count of steps is one too high: the first step has count 1": wrong(late=1),
        "the count of steps is one too low: the first step has count 1": wrong(late=-1),
        "eps stands inside the square root": wrong(eps="inside"),
        EFFICIENT: wrong(eps="before"),
        "the second moment averages the gradient's size instead of its square": wrong(square=False),
        "the two betas are swapped": wrong(swapped=True),
        "all parameters share one count of steps": wrong(one_count=True),
        "every group goes by the numbers of the first one": wrong(first_group=True),
        "a 0.0 in a group is taken for none, and gives way to the default: 0 is a number like others": lambda: adamw(
            [{n: v for n, v in group.items() if n == "params" or v} for group in groups], gradients, options, rates
        ).to(dtype),
        "a parameter without gradient is moved all the same": wrong(idle=True),
        "a parameter without gradient loses its moments and its count: it waits": wrong(reset=True),
        "the decay goes by the lr that a group was made with: it is times the group's present lr": wrong(
            decay="initial"
        ),
        "what is changed in param_groups has no effect": wrong(deaf=True),
    }


def torch_adamw(groups: Sequence[Group], gradients: Rows, options: dict[str, Any]) -> Tensor:
    """Return what torch's own AdamW makes of the parameters, after each step."""
    made = [{**group, "params": [torch.nn.Parameter(value.clone()) for value in group["params"]]} for group in groups]
    parameters = [parameter for group in made for parameter in group["params"]]
    optimizer, history = torch.optim.AdamW(made, **options, foreach=False), []
    for row in gradients:
        for parameter, gradient in zip(parameters, row, strict=True):
            parameter.grad = gradient
        optimizer.step()
        history.append([parameter.detach().clone() for parameter in parameters])
    return flat(history)


def some_groups(draw: Any, dtype: torch.dtype = torch.float64) -> list[Group]:
    """Draw parameters of three shapes in two groups with numbers of their own."""
    first = {"params": [draw.normal(3, 5, dtype=dtype), draw.normal(4, dtype=dtype)]}
    second = {"params": [draw.normal(2, 3, 2, dtype=dtype)], "lr": 0.3, "betas": (0.7, 0.6), "weight_decay": 0.05}
    return [first, second]


def some_gradients(draw: Any, groups: Sequence[Group], steps: int, scale: float = 1.0) -> list[list[Tensor]]:
    """Draw a gradient for every parameter and step."""
    values = [value for group in groups for value in group["params"]]
    return [[draw.normal(*value.shape, scale=scale, dtype=value.dtype) for value in values] for _ in range(steps)]
