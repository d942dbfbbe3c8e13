"""m08_training: turn a model that knows nothing into one that has read.

Guess the next token, see how wrong the guess was, move each weight a little against its gradient, and do it again. A
model is any nn.Module from ids (batch seq) to logits (batch seq vocab_size). A target of -100 does not count.
Left out: mixed precision, several devices, adapters (m11). Autograd and F.cross_entropy are all it takes.
Not allowed, since you are building them: torch.optim and its schedulers, nn.utils.clip_grad_norm_ and its relatives.
"""

import math
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int64
from torch import Tensor, nn

Params = Iterable[nn.Parameter]
Batch = tuple[Int64[Tensor, "batch seq"], Int64[Tensor, "batch seq"]]  # inputs and targets


class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2; the decay times lr, as torch has it).

    Takes parameters, or dicts with "params" and what differs from the arguments. `param_groups` is a list of dicts with
    "params" (a list), "lr", "betas", "eps", "weight_decay": who changes a number there changes the next step.
    """

    def __init__(
        self, params_or_groups: Params | Iterable[dict[str, Any]], lr: float,
        betas: tuple[float, float] = (0.9, 0.95), eps: float = 1e-8, weight_decay: float = 0.1,
    ) -> None:  # fmt: skip
        groups: list[Any] = list(params_or_groups)
        if not all(isinstance(group, dict) for group in groups):
            groups = [{"params": groups}]
        numbers = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self.param_groups: list[dict[str, Any]] = [
            {**numbers, **group, "params": list(group["params"])} for group in groups
        ]
        self._state: dict[Tensor, dict[str, Any]] = {}  # by parameter: each has moments and a count of its own

    def step(self) -> None:
        """Move every parameter that has a gradient, in place; the others, and all gradients, stay as they are.

        After the decay it moves by lr * first / (sqrt(second) + eps), both averages corrected: eps stands outside of
        the root and of the correction. (Kingma's "efficient" form has it inside of the correction; torch has not.)
        Example: w = 1 with gradient 4, lr = 0.1, weight_decay = 0.5: the decay makes it 0.95, the first step 0.85.
        """
        with torch.no_grad():
            self._move()

    def _move(self) -> None:
        for group in self.param_groups:
            lr, (beta1, beta2) = group["lr"], group["betas"]
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                if parameter not in self._state:
                    zeros = torch.zeros_like(parameter), torch.zeros_like(parameter)
                    self._state[parameter] = {"count": 0, "first": zeros[0], "second": zeros[1]}
                state = self._state[parameter]
                state["count"] += 1
                state["first"].mul_(beta1).add_(gradient, alpha=1 - beta1)
                state["second"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
                # Both averages began at 0 and are too small by these factors, the more so the younger they are.
                first = state["first"] / (1 - beta1 ** state["count"])
                second = state["second"] / (1 - beta2 ** state["count"])
                # Pitfall: the decay stays out of the gradient, where it would be divided by the root like all of it.
                parameter.mul_(1 - lr * group["weight_decay"])
                parameter.sub_(lr * first / (second.sqrt() + group["eps"]))

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self._parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return a snapshot of moments, counts and the groups' numbers: containers, numbers, tensors of its own."""
        numbers = [{name: value for name, value in group.items() if name != "params"} for group in self.param_groups]
        state = [_copied(self._state.get(parameter)) for parameter in self._parameters()]
        return {"groups": numbers, "sizes": [len(group["params"]) for group in self.param_groups], "state": state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot and leave it as it is; ValueError when groups or numbers of parameters differ."""
        sizes = [len(group["params"]) for group in self.param_groups]
        if state["sizes"] != sizes:
            raise ValueError(f"the snapshot has groups of {state['sizes']} parameters, this optimizer of {sizes}")
        for group, numbers in zip(self.param_groups, state["groups"], strict=True):
            group.update(numbers)
        found = zip(self._parameters(), state["state"], strict=True)
        self._state = {parameter: _copied(own, parameter) for parameter, own in found if own is not None}

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]


def _copied(state: Any, like: Tensor | None = None) -> Any:
    if state is None:
        return None
    copy = {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
    if like is not None:  # a checkpoint is read to the CPU, and the parameter may be elsewhere
        copy = {name: value.to(like.device) if isinstance(value, Tensor) else value for name, value in copy.items()}
    return copy


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Part the parameters that need a gradient, each once: those of two axes or more decay; then the rest, which don't.

    The number of axes decides, and no name.

    Example: nn.Linear(3, 2), 0.1: [{"params": [weight], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}].
    """
    # parameters() gives a tied matrix once, whatever names it goes by.
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0},
    ]


def learning_rate(step: int, *, peak: float, floor: float, warmup: int, total: int) -> float:
    """Return the rate of a step: a line from 0 at step 0 to peak at warmup, half a cosine to floor at total, floor.

    Example: peak 1, floor 0.2, warmup 2, total 6: steps 1 (the first) to 7 have 0.5, 1, 0.883, 0.6, 0.317, 0.2, 0.2.
    Raises ValueError, naming both numbers, unless 0 <= warmup < total. (Cosine: Loshchilov & Hutter 2017, section 3.)
    """
    if not 0 <= warmup < total:
        raise ValueError(f"a warmup of {warmup} steps does not fit into a total of {total}")
    if step < warmup:
        return peak * step / warmup
    if step > total:  # without this the cosine would climb again
        return floor
    share = (step - warmup) / (total - warmup)  # 0 at the peak, 1 at the end
    return floor + (peak - floor) * (1 + math.cos(math.pi * share)) / 2


def clip_gradients(parameters: Params, max_norm: float) -> float:
    """Return the norm of all gradients as one vector; above max_norm, scale all to it (Pascanu et al. 2013).

    No gradients at all: 0.0. Example: [3] and [4] with max_norm 1 become [0.6] and [0.8], and 5.0 is returned.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = math.sqrt(sum(float(gradient.double().square().sum()) for gradient in gradients))
    if norm > max_norm:  # one factor for all: the direction stays, and so does every gradient that is small enough
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm


def _summed_loss(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    logits = model(inputs)  # (batch, seq, vocab_size)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum")


def train_step(
    model: nn.Module, optimizer: Any, micro_batches: list[Batch], max_norm: float | None = None
) -> float:  # fmt: skip
    """Make one step, in training mode, on micro-batches as if they were one batch; return the mean loss before it.

    The mean is over the targets that count, of all together: 1 in the first and 3 in the second weigh 1/4 each.
    Gradients from before don't matter; each graph is freed before the next is made; max_norm clips all of the model's.
    Raises ValueError when no target counts.
    """
    count = sum(int((targets != -100).sum()) for _, targets in micro_batches)
    if count == 0:
        raise ValueError("no target counts: all of them are -100")
    model.train()
    optimizer.zero_grad()
    total = 0.0
    for inputs, targets in micro_batches:
        # Divided by the count of all, not of its own: gradients add up, so the sum is the big batch's mean.
        loss = _summed_loss(model, inputs, targets) / count
        loss.backward()  # here and not after the loop: it frees the graph
        total += loss.item()
    if max_norm is not None:
        clip_gradients(model.parameters(), max_norm)
    optimizer.step()
    return total


def evaluate(model: nn.Module, batches: Iterable[Batch]) -> float:
    """Return the mean loss over all targets that count, in eval mode. ValueError when there is none.

    No trace is left: no graph, gradients as before, every inner module's mode as before (even when the model raises),
    and torch's random numbers go on as if nothing had been, whatever model and batches drew.
    """
    modes = {module: module.training for module in model.modules()}  # train() would wake what was asleep on purpose
    total, count = 0.0, 0
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng():
            for inputs, targets in batches:
                total += _summed_loss(model, inputs, targets).item()
                count += int((targets != -100).sum())
    finally:
        for module, training in modes.items():
            module.training = training
    if count == 0:
        raise ValueError("no target counts: all of them are -100, or there are no batches")
    return total / count


def save_checkpoint(path: str | Path, model: nn.Module, optimizer: Any, step: int) -> None:
    """Write all that the next steps depend on: weights, optimizer, step, torch's and Python's random numbers."""
    checkpoint = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
    }
    torch.save(checkpoint, path)


def load_checkpoint(path: str | Path, model: nn.Module, optimizer: Any) -> int:
    """Bring model, optimizer and random numbers to where they were when the file was written; return its step."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)  # tensors and plain values; no foreign code
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    torch.set_rng_state(checkpoint["torch"])
    if checkpoint["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(checkpoint["cuda"])
    random.setstate(checkpoint["python"])
    return checkpoint["step"]


def train(
    model: nn.Module, optimizer: Any, next_batch: Callable[[], Batch], *, steps: int, start: int = 0,
    schedule: Callable[[int], float] | None = None, max_norm: float | None = 1.0, accumulation: int = 1,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:  # fmt: skip
    """Make `steps` steps, numbered from start + 1, each on `accumulation` batches; return their losses.

    Before a step schedule(number) sets the lr of every group; after it on_step(number, loss) hears of it.
    """
    losses = []
    for number in range(start + 1, start + steps + 1):
        if schedule is not None:
            rate = schedule(number)
            for group in optimizer.param_groups:
                group["lr"] = rate
        losses.append(train_step(model, optimizer, [next_batch() for _ in range(accumulation)], max_norm))
        if on_step is not None:
            on_step(number, losses[-1])
    return losses
