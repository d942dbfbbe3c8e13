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
import torch.nn.functional as F
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
        self.scale = float(init_scale)
        self.growth_factor, self.backoff_factor, self.growth_interval = growth_factor, backoff_factor, growth_interval
        self._good, self._finite = 0, True

    def unscale_(self, params: Iterable[nn.Parameter]) -> bool:
        """Divide the gradients that there are by `scale`, in place, and return whether all of them are finite."""
        grads = [param.grad for param in params if param.grad is not None]
        self._finite = all(bool(grad.isfinite().all()) for grad in grads)
        for grad in grads:
            grad.div_(self.scale)
        return self._finite

    def step(self, optimizer: Optimizer) -> bool:
        """Take the optimizer's step if unscale_ has found all finite, and leave it out otherwise; return which."""
        if self._finite:
            optimizer.step()
        return self._finite

    def update(self) -> None:
        """Set the scale for the next step: after one that was left out, it is multiplied by backoff_factor.

        After growth_interval steps taken in a row it is multiplied by growth_factor, and they are counted anew.
        """
        if not self._finite:
            self.scale *= self.backoff_factor
            self._good = 0
            return
        self._good += 1
        if self._good == self.growth_interval:
            self.scale *= self.growth_factor
            self._good = 0


def mixed_loss(layers: Sequence[nn.Module], x: Tensor, targets: Int[Tensor, "batch"], dtype: torch.dtype) -> Tensor:
    """Run x (batch, d_in) through the layers in turn, and return the mean cross-entropy of the logits, in float32.

    An nn.Linear computes in `dtype`: what it is given, its weight and its bias are cast. Every other layer, and the
    cross-entropy, is given float32. The weights themselves stay float32, and so do their gradients.
    """
    for layer in layers:
        if isinstance(layer, nn.Linear):
            bias = None if layer.bias is None else layer.bias.to(dtype)
            x = F.linear(x.to(dtype), layer.weight.to(dtype), bias)
        else:
            x = layer(x.float())
    return F.cross_entropy(x.float(), targets)


def master_step(master: Sequence[Tensor], grads: Sequence[Tensor], lr: float) -> list[Tensor]:
    """Take a step of gradient descent on float32 weights, in place, by gradients in half precision.

    Return copies of the weights in the gradients' dtype, for the model to go on with.
    Example: 1.0, and a hundred steps by gradients of 1.0 in bfloat16 with lr 0.001: 0.9, where bfloat16 would stay 1.0.
    """
    for weight, grad in zip(master, grads, strict=True):
        weight.data -= lr * grad.to(weight.dtype)
    return [weight.detach().to(grad.dtype) for weight, grad in zip(master, grads, strict=True)]


def checkpoint(function: Callable[..., Tensor], *args: Any) -> Tensor:
    """Return function(*args), and keep nothing of what it computes on the way but its arguments.

    backward() runs function once more, with the random numbers of the first time: dropout falls on the same places.
    Afterwards random numbers go on as if nothing had been computed twice. Arguments and the parameters that function
    uses get the gradients that they would have got, also where no argument wants one, or some are no tensors.
    """
    wanted = torch.empty(0, requires_grad=True)  # or autograd would not ask for parameters alone
    return _Checkpoint.apply(wanted, function, *args)  # type: ignore[no-any-return, no-untyped-call]


class _Checkpoint(torch.autograd.Function):
    """Runs a function without a graph, and with one when the gradient comes back."""

    @staticmethod
    def forward(ctx: Any, wanted: Tensor, function: Callable[..., Tensor], *args: Any) -> Tensor:
        ctx.function, ctx.args, ctx.dice = function, args, _dice()
        return function(*args)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        args = [arg.detach().requires_grad_(arg.requires_grad) if isinstance(arg, Tensor) else arg for arg in ctx.args]
        before = _dice()
        _roll(ctx.dice)
        with torch.enable_grad():
            result = ctx.function(*args)
        _roll(before)
        if result.requires_grad:
            torch.autograd.backward(result, grad)
        return None, None, *[arg.grad if isinstance(arg, Tensor) else None for arg in args]


def _dice() -> list[Tensor]:
    """Return the state of the processor's dice and, where there is one in use, of the GPU's."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [])]


def _roll(dice: list[Tensor]) -> None:
    torch.set_rng_state(dice[0])
    for state in dice[1:]:
        torch.cuda.set_rng_state(state)


def make_buckets(sizes: Sequence[int], first_cap: int, cap: int) -> list[list[int]]:
    """Put parameters into buckets in the order given: lists of places in `sizes`.

    A bucket is full when its sizes add up to its cap or more; the next place begins a new one. The first bucket has a
    cap of its own, a small one: it sets out early. Example: [40, 80, 20, 1200], 100 and 200 give [[0, 1], [2, 3]].
    """
    buckets: list[list[int]] = [[]]
    held = 0
    for place, size in enumerate(sizes):
        if held >= (first_cap if len(buckets) == 1 else cap) and buckets[-1]:
            buckets.append([])
            held = 0
        buckets[-1].append(place)
        held += size
    return [bucket for bucket in buckets if bucket]


def average_gradients(params: Sequence[nn.Parameter], buckets: Sequence[Sequence[int]], group: Any) -> None:
    """Give every parameter the mean, over all ranks, of its gradients.

    Each bucket in turn is one all_reduce of one long row: its parameters' gradients, flat, one after the other.
    A parameter without a gradient counts as zeros, and has one afterwards: on another rank there may be one.
    """
    for bucket in buckets:
        held = [params[place] for place in bucket]
        grads = [torch.zeros_like(param) if param.grad is None else param.grad for param in held]
        mean = group.all_reduce(torch.cat([grad.flatten() for grad in grads])) / group.world
        for param, part in zip(held, mean.split([param.numel() for param in held]), strict=True):
            param.grad = part.view(param.shape)


def shard(n: int, rank: int, world: int) -> range:
    """Return a rank's share of 0 to n - 1: neighbours, in the order of ranks, and the first n % world get one more.

    Example: 7 among 3 are range(0, 3), range(3, 5) and range(5, 7).
    """
    size, more = divmod(n, world)
    start = rank * size + min(rank, more)
    return range(start, start + size + (rank < more))


def share_start(model: nn.Module, group: Any) -> None:
    """Give the model rank 0's parameters and buffers, in place, wherever it was made."""
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            value.copy_(group.broadcast(value, 0))


def data_parallel_step(
    model: nn.Module, loss: Callable[[nn.Module, Tensor, Tensor], Tensor], x: Float[Tensor, "rows ..."],
    targets: Tensor, optimizer: Optimizer, group: Any, max_norm: float,
) -> float:  # fmt: skip
    """Take the step that one process with all rows would take, and return the mean loss over all rows.

    x and targets are this rank's own rows: each has some, and not all have as many. loss(model, x, targets) is the mean
    over the rows given. The whole gradient's norm is clipped to max_norm. Gradients from before take no part.
    """
    rows = group.all_reduce(torch.tensor(float(len(x)), device=x.device))
    part = loss(model, x, targets) * (len(x) / rows)
    optimizer.zero_grad()
    part.backward()
    params = [param for param in model.parameters() if param.requires_grad]
    average_gradients(params, make_buckets([param.numel() for param in params], 2**16, 2**20), group)
    for param in params:
        if param.grad is not None:
            param.grad *= group.world  # the parts add up to the mean: it is their sum that is wanted
    nn.utils.clip_grad_norm_(params, max_norm)
    optimizer.step()
    return float(group.all_reduce(part.detach()))


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
        self.params, self.group = list(params), group
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self._own = [shard(param.numel(), group.rank, group.world) for param in self.params]
        self._moments = [
            (
                torch.zeros(len(own), dtype=p.dtype, device=p.device),
                torch.zeros(len(own), dtype=p.dtype, device=p.device),
            )
            for p, own in zip(self.params, self._own, strict=True)
        ]
        self._steps = [0] * len(self.params)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for param in self.params:
            param.grad = None

    def step(self) -> None:
        """Move every parameter by one step."""
        for place, param in enumerate(self.params):
            if param.grad is None:
                continue
            self._steps[place] += 1
            moved, own = self._moved(place, param.grad), self._own[place]
            whole = torch.zeros_like(param).flatten()
            whole[own.start : own.stop] = moved
            param.data.copy_(self.group.all_reduce(whole).view(param.shape))

    def _moved(self, place: int, grad: Tensor) -> Tensor:
        """Return this rank's share of a parameter after the step."""
        own, (first, second), steps = self._own[place], self._moments[place], self._steps[place]
        value, grad = (whole.detach().flatten()[own.start : own.stop] for whole in (self.params[place], grad))
        first.lerp_(grad, 1 - self.betas[0])
        second.lerp_(grad.square(), 1 - self.betas[1])
        step = first / (1 - self.betas[0] ** steps)
        size = (second / (1 - self.betas[1] ** steps)).sqrt() + self.eps
        return value * (1 - self.lr * self.weight_decay) - self.lr * step / size


class ColumnParallelLinear(nn.Module):
    """A rank's share of the outputs of an nn.Linear: all ranks give it the same x, and get different columns of y."""

    def __init__(self, linear: nn.Linear, group: Any, parts: int = 1) -> None:
        """Keep copies of the rows shard(d_out, rank, world) of weight and bias, as parameters of these names (or None).

        A linear of several `parts` (queries, keys, values: 3), equally tall, is shared part by part: such rows of each.
        """
        super().__init__()
        size = linear.out_features // parts
        rows = [part * size + row for part in range(parts) for row in shard(size, group.rank, group.world)]
        self.weight = nn.Parameter(linear.weight.detach()[rows].clone())
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach()[rows].clone())
        self._group = group

    def forward(self, x: Float[Tensor, "... d_in"]) -> Float[Tensor, "... d_share"]:
        """Return this rank's outputs; no rank has to wait. Backwards, x gets the sum of what all ranks send it."""
        return F.linear(_Spread.apply(x, self._group), self.weight, self.bias)  # type: ignore[no-untyped-call]


class RowParallelLinear(nn.Module):
    """A rank's share of the inputs of an nn.Linear: each gives it other columns of x, and all get the same y."""

    def __init__(self, linear: nn.Linear, group: Any) -> None:
        """Keep copies of the columns shard(d_in, rank, world) of the weight, and of the whole bias, as parameters."""
        super().__init__()
        own = shard(linear.in_features, group.rank, group.world)
        self.weight = nn.Parameter(linear.weight.detach()[:, own.start : own.stop].clone())
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone())
        self._group = group

    def forward(self, x: Float[Tensor, "... d_share"]) -> Float[Tensor, "... d_out"]:
        """Return the whole output: one all_reduce, and the bias once. Backwards, no rank has to wait."""
        whole = _Sum.apply(F.linear(x, self.weight), self._group)  # type: ignore[no-untyped-call]
        return whole if self.bias is None else whole + self.bias


class _Spread(torch.autograd.Function):
    """Nothing forwards, a sum over all ranks backwards (Megatron's f)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return ctx.group.all_reduce(grad.contiguous()), None


class _Sum(torch.autograd.Function):
    """A sum over all ranks forwards, nothing backwards (Megatron's g)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        summed: Tensor = group.all_reduce(x)
        return summed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return grad, None


def ring_all_reduce(x: Float[Tensor, "..."], group: Any) -> Float[Tensor, "..."]:
    """Return the sum of all ranks' x by group.send and group.recv alone: to the next rank, from the one before.

    Flat, x is cut into `world` pieces by shard. In round s, from 0 to world - 2, a rank sends piece rank - s and adds
    what it gets to piece rank - s - 1. Then each piece is whole somewhere, and in as many rounds more it sends piece
    rank + 1 - s and puts what it gets in the place of piece rank - s. (Piece numbers are meant modulo world.) So a rank
    sends each piece about twice, however many ranks there are. x has at least `world` numbers, and does not change.
    """
    rank, world = group.rank, group.world
    following, before = (rank + 1) % world, (rank - 1) % world
    flat = x.detach().flatten()
    pieces = [flat[own.start : own.stop].clone() for own in (shard(len(flat), piece, world) for piece in range(world))]
    for turn in range(world - 1):
        group.send(pieces[(rank - turn) % world], following)
        place = (rank - turn - 1) % world
        pieces[place] = pieces[place] + group.recv(pieces[place], before)
    for turn in range(world - 1):
        group.send(pieces[(rank + 1 - turn) % world], following)
        place = (rank - turn) % world
        pieces[place] = group.recv(pieces[place], before)
    return torch.cat(pieces).view(x.shape)
