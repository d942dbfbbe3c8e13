"""m08_training: turn a model that knows nothing into one that has read.

Guess the next token, see how wrong the guess was, move each weight a little against its gradient, and do it again. A
model is any nn.Module from ids (batch seq) to logits (batch seq vocab_size). A target of -100 does not count.
Left out: mixed precision, several devices, adapters (m11). Autograd and F.cross_entropy are all it takes.
Not allowed, since you are building them: torch.optim and its schedulers, nn.utils.clip_grad_norm_ and its relatives.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

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
        raise NotImplementedError("m08.1")

    def step(self) -> None:
        """Move every parameter that has a gradient, in place; the others, and all gradients, stay as they are.

        After the decay it moves by lr * first / (sqrt(second) + eps), both averages corrected: eps stands outside of
        the root and of the correction. (Kingma's "efficient" form has it inside of the correction; torch has not.)
        Example: w = 1 with gradient 4, lr = 0.1, weight_decay = 0.5: the decay makes it 0.95, the first step 0.85.
        """
        # TODO(m08.1): two averages, each with its correction, the decay, the step.
        raise NotImplementedError("m08.1")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        raise NotImplementedError("m08.1")

    def state_dict(self) -> dict[str, Any]:
        """Return a snapshot of moments, counts and the groups' numbers: containers, numbers, tensors of its own."""
        raise NotImplementedError("m08.1")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot and leave it as it is; ValueError when groups or numbers of parameters differ."""
        raise NotImplementedError("m08.1")


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Part the parameters that need a gradient, each once: those of two axes or more decay; then the rest, which don't.

    The number of axes decides, and no name.

    Example: nn.Linear(3, 2), 0.1: [{"params": [weight], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}].
    """
    raise NotImplementedError("m08.1")


def learning_rate(step: int, *, peak: float, floor: float, warmup: int, total: int) -> float:
    """Return the rate of a step: a line from 0 at step 0 to peak at warmup, half a cosine to floor at total, floor.

    Example: peak 1, floor 0.2, warmup 2, total 6: steps 1 (the first) to 7 have 0.5, 1, 0.883, 0.6, 0.317, 0.2, 0.2.
    Raises ValueError, naming both numbers, unless 0 <= warmup < total. (Cosine: Loshchilov & Hutter 2017, section 3.)
    """
    # TODO(m08.2): which of the three pieces is it?
    raise NotImplementedError("m08.2")


def clip_gradients(parameters: Params, max_norm: float) -> float:
    """Return the norm of all gradients as one vector; above max_norm, scale all to it (Pascanu et al. 2013).

    No gradients at all: 0.0. Example: [3] and [4] with max_norm 1 become [0.6] and [0.8], and 5.0 is returned.
    """
    raise NotImplementedError("m08.2")


def train_step(
    model: nn.Module, optimizer: Any, micro_batches: list[Batch], max_norm: float | None = None
) -> float:  # fmt: skip
    """Make one step, in training mode, on micro-batches as if they were one batch; return the mean loss before it.

    The mean is over the targets that count, of all together: 1 in the first and 3 in the second weigh 1/4 each.
    Gradients from before don't matter; each graph is freed before the next is made; max_norm clips all of the model's.
    Raises ValueError when no target counts.
    """
    # TODO(m08.3): count, add up gradients, clip, step.
    raise NotImplementedError("m08.3")


def evaluate(model: nn.Module, batches: Iterable[Batch]) -> float:
    """Return the mean loss over all targets that count, in eval mode. ValueError when there is none.

    No trace is left: no graph, gradients as before, every inner module's mode as before (even when the model raises),
    and torch's random numbers go on as if nothing had been, whatever model and batches drew.
    """
    # TODO(m08.4): look, and leave no trace.
    raise NotImplementedError("m08.4")


def save_checkpoint(path: str | Path, model: nn.Module, optimizer: Any, step: int) -> None:
    """Write all that the next steps depend on: weights, optimizer, step, torch's and Python's random numbers."""
    # TODO(m08.5): everything that the next step reads.
    raise NotImplementedError("m08.5")


def load_checkpoint(path: str | Path, model: nn.Module, optimizer: Any) -> int:
    """Bring model, optimizer and random numbers to where they were when the file was written; return its step."""
    raise NotImplementedError("m08.5")


def train(
    model: nn.Module, optimizer: Any, next_batch: Callable[[], Batch], *, steps: int, start: int = 0,
    schedule: Callable[[int], float] | None = None, max_norm: float | None = 1.0, accumulation: int = 1,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:  # fmt: skip
    """Make `steps` steps, numbered from start + 1, each on `accumulation` batches; return their losses.

    Before a step schedule(number) sets the lr of every group; after it on_step(number, loss) hears of it.
    """
    # TODO(m08.6): rate, batches, step, news.
    raise NotImplementedError("m08.6")
