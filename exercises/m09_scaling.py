"""m09_scaling: train what is too large for one process's memory, or for one process's time.

Numbers of half the size, with a scale that keeps small gradients alive; activations that are computed twice and not
kept; and several processes that share rows, state or matrices, and end with what one process would have.

Such processes, called ranks, run your code at the same time. Each gets a `group`: group.rank is its number, from 0, and
group.world how many there are. group.all_reduce(x) returns the sum of all ranks' x, group.all_gather(x) a list of them
in order (all of one shape), group.broadcast(x, source) the x of one rank. group.send(x, to) hands a copy over and does
not wait; group.recv(like, source) waits for the next tensor from there, of the shape and dtype of `like`. None of these
changes its argument, and no gradient passes. All ranks make the same calls, in the same order, or wait for each other.
Not allowed, since you build them: torch.amp, torch.utils.checkpoint, torch.distributed, torch.nn.parallel.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim import Optimizer


class LossScaler:
    """Decide by what to multiply a loss, so that half-precision gradients neither vanish nor overflow.

    `scale` is that number, at first init_scale. A step: (loss * scaler.scale).backward(); unscale_; clip; step; update.
    """

    def __init__(
        self, init_scale: float = 65536.0, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000,
    ) -> None:  # fmt: skip
        # TODO(m09.1): what has to happen to a scale after an overflow?
        raise NotImplementedError("m09.1")

    def unscale_(self, params: Iterable[nn.Parameter]) -> bool:
        """Divide the gradients that there are by `scale`, in place, and return whether all of them are finite."""
        raise NotImplementedError("m09.1")

    def step(self, optimizer: Optimizer) -> bool:
        """Take the optimizer's step if unscale_ has found all finite, and leave it out otherwise; return which."""
        raise NotImplementedError("m09.1")

    def update(self) -> None:
        """Set the scale for the next step: after one that was left out, it is multiplied by backoff_factor.

        After growth_interval steps taken in a row it is multiplied by growth_factor, and they are counted anew.
        """
        raise NotImplementedError("m09.1")


def mixed_loss(layers: Sequence[nn.Module], x: Tensor, targets: Int[Tensor, "batch"], dtype: torch.dtype) -> Tensor:
    """Run x (batch, d_in) through the layers in turn, and return the mean cross-entropy of the logits, in float32.

    An nn.Linear computes in `dtype`: what it is given, its weight and its bias are cast. Every other layer, and the
    cross-entropy, is given float32. The weights themselves stay float32, and so do their gradients.
    """
    # TODO(m09.2): what is cast, and what must not be?
    raise NotImplementedError("m09.2")


def master_step(master: Sequence[Tensor], grads: Sequence[Tensor], lr: float) -> list[Tensor]:
    """Take a step of gradient descent on float32 weights, in place, by gradients in half precision.

    Return copies of the weights in the gradients' dtype, for the model to go on with.
    Example: 1.0, and a hundred steps by gradients of 1.0 in bfloat16 with lr 0.001: 0.9, where bfloat16 would stay 1.0.
    """
    raise NotImplementedError("m09.2")


def checkpoint(function: Callable[..., Tensor], *args: Any) -> Tensor:
    """Return function(*args), and keep nothing of what it computes on the way but its arguments.

    backward() runs function once more, with the random numbers of the first time: dropout falls on the same places.
    Afterwards random numbers go on as if nothing had been computed twice. Arguments and the parameters that function
    uses get the gradients that they would have got, also where no argument wants one, or some are no tensors.
    """
    # TODO(m09.3): keep nothing, and know how to get it again.
    raise NotImplementedError("m09.3")


def make_buckets(sizes: Sequence[int], first_cap: int, cap: int) -> list[list[int]]:
    """Put parameters into buckets in the order given: lists of places in `sizes`.

    A bucket is full when its sizes add up to its cap or more; the next place begins a new one. The first bucket has a
    cap of its own, a small one: it sets out early. Example: [40, 80, 20, 1200], 100 and 200 give [[0, 1], [2, 3]].
    """
    # TODO(m09.4): one message for many gradients.
    raise NotImplementedError("m09.4")


def average_gradients(params: Sequence[nn.Parameter], buckets: Sequence[Sequence[int]], group: Any) -> None:
    """Give every parameter the mean, over all ranks, of its gradients.

    Each bucket in turn is one all_reduce of one long row: its parameters' gradients, flat, one after the other.
    A parameter without a gradient counts as zeros, and has one afterwards: on another rank there may be one.
    """
    raise NotImplementedError("m09.4")


def shard(n: int, rank: int, world: int) -> range:
    """Return a rank's share of 0 to n - 1: neighbours, in the order of ranks, and the first n % world get one more.

    Example: 7 among 3 are range(0, 3), range(3, 5) and range(5, 7).
    """
    # TODO(m09.5): who has how many rows?
    raise NotImplementedError("m09.5")


def share_start(model: nn.Module, group: Any) -> None:
    """Give the model rank 0's parameters and buffers, in place, wherever it was made."""
    raise NotImplementedError("m09.5")


def data_parallel_step(
    model: nn.Module, loss: Callable[[nn.Module, Tensor, Tensor], Tensor], x: Float[Tensor, "rows ..."],
    targets: Tensor, optimizer: Optimizer, group: Any, max_norm: float,
) -> float:  # fmt: skip
    """Take the step that one process with all rows would take, and return the mean loss over all rows.

    x and targets are this rank's own rows: each has some, and not all have as many. loss(model, x, targets) is the mean
    over the rows given. The whole gradient's norm is clipped to max_norm. Gradients from before take no part.
    """
    raise NotImplementedError("m09.5")


class ShardedAdamW:
    """AdamW on all parameters, of whose state each rank keeps its share.

    Of a parameter of n numbers a rank keeps the moments, two for each, of those in shard(n, rank, world), moves these,
    and gets the others from their ranks. Gradients are the same on all ranks before step(), parameters also after it.
    The numbers are AdamW's, whose weight decay stands beside the gradient. A parameter without a gradient stays.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], group: Any, lr: float,
        betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        # TODO(m09.6): each rank moves its own share.
        raise NotImplementedError("m09.6")

    def zero_grad(self) -> None:
        """Forget all gradients."""
        raise NotImplementedError("m09.6")

    def step(self) -> None:
        """Move every parameter by one step."""
        raise NotImplementedError("m09.6")


class ColumnParallelLinear(nn.Module):
    """A rank's share of the outputs of an nn.Linear: all ranks give it the same x, and get different columns of y."""

    def __init__(self, linear: nn.Linear, group: Any, parts: int = 1) -> None:
        """Keep copies of the rows shard(d_out, rank, world) of weight and bias, as parameters of these names (or None).

        A linear of several `parts` (queries, keys, values: 3), equally tall, is shared part by part: such rows of each.
        """
        # TODO(m09.7): where does the sum belong, forwards and backwards?
        super().__init__()
        raise NotImplementedError("m09.7")

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_share"]:
        """Return this rank's outputs; no rank has to wait. Backwards, x gets the sum of what all ranks send it."""
        raise NotImplementedError("m09.7")


class RowParallelLinear(nn.Module):
    """A rank's share of the inputs of an nn.Linear: each gives it other columns of x, and all get the same y."""

    def __init__(self, linear: nn.Linear, group: Any) -> None:
        """Keep copies of the columns shard(d_in, rank, world) of the weight, and of the whole bias, as parameters."""
        super().__init__()
        raise NotImplementedError("m09.7")

    def forward(self, x: Float[Tensor, "... d_share"]) -> Float[Tensor, "... d_out"]:
        """Return the whole output: one all_reduce, and the bias once. Backwards, no rank has to wait."""
        raise NotImplementedError("m09.7")


def ring_all_reduce(x: Float[Tensor, "..."], group: Any) -> Float[Tensor, "..."]:
    """Return the sum of all ranks' x by group.send and group.recv alone: to the next rank, from the one before.

    Flat, x is cut into `world` pieces by shard. In round s, from 0 to world - 2, a rank sends piece rank - s and adds
    what it gets to piece rank - s - 1. Then each piece is whole somewhere, and in as many rounds more it sends piece
    rank + 1 - s and puts what it gets in the place of piece rank - s. (Piece numbers are meant modulo world.) So a rank
    sends each piece about twice, however many ranks there are. x has at least `world` numbers, and does not change.
    """
    # TODO(m09.8): which piece goes round in which round?
    raise NotImplementedError("m09.8")
