"""The reference for what m09_scaling's ranks share: buckets, rows, gradients and AdamW's state."""

from typing import Any

import torch
from torch import Tensor

from .oracle import clipped

DEVICE = "something is made on the default device instead of where its parameter is"

# ── m09.4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

BEFORE = "a bucket is closed before it would go beyond its cap: it takes what makes it full"
STRICT = "a bucket that has just reached its cap takes one more"
FIRST_CAP = "the first bucket's cap holds for all"
NO_FIRST = "the first bucket has the cap of the others"
REVERSED = "the order is turned round: take the places as they come"
SINGLE = "each parameter is a bucket of its own"
ONE = "all parameters are in one bucket"
LAST_LOST = "the last bucket is lost where it is not full"
TRAILING = "an empty bucket comes last: the next place begins one, not the end of the last"
EMPTY = "no parameters make an empty bucket: there is none then"
SIZES = "the buckets hold sizes: they hold places in the list"
HOLDS = (BEFORE, STRICT, FIRST_CAP, NO_FIRST, REVERSED, SINGLE, ONE, SIZES, EMPTY, LAST_LOST, TRAILING)


def buckets(sizes: list[int], first_cap: int, cap: int, wrong: str = "") -> list[list[int]]:
    """Return the places of each bucket."""
    first_cap = cap if wrong == NO_FIRST else first_cap
    cap = first_cap if wrong == FIRST_CAP else cap
    found: list[list[int]] = []
    places = range(len(sizes))
    for place in reversed(places) if wrong == REVERSED else places:
        limit = first_cap if len(found) == 1 else cap
        held = sum(sizes[other] for other in found[-1]) if found else 0
        full = held > limit if wrong == STRICT else held >= limit
        if wrong == BEFORE:
            full = held + sizes[place] > limit
        if not found or (full and wrong != ONE) or wrong == SINGLE:
            found.append([])
        found[-1].append(place)
    if wrong == EMPTY:
        return found or [[]]
    full = bool(found) and sum(sizes[place] for place in found[-1]) >= (first_cap if len(found) == 1 else cap)
    if wrong == LAST_LOST:
        return found if full else found[:-1]
    if wrong == TRAILING:
        return [*found, []] if full else found
    return [[sizes[place] for place in bucket] for bucket in found] if wrong == SIZES else found


SUM = "the gradients are added up and not divided by the number of ranks"
TWICE = "the gradients are divided by the number of ranks twice"
THROWN = "what all_reduce returns is thrown away: it does not change what it is given"
OWN = "a rank's own gradient is all that it has: nothing was added up"
EACH = "each parameter is sent by itself: a bucket is one message"
ALL = "everything is sent in one message: each bucket is one"
SKIPPED = "a parameter without a gradient is left out of its bucket: it counts as zeros"
STAYS_NONE = "a parameter without a gradient has none afterwards, though other ranks have one for it"
ONE_SUM = "the group is asked for something else: each bucket is one all_reduce"
SORTED = "gradients stand in another order in their row than places in the bucket"
MEANS = (SUM, TWICE, OWN, THROWN)

Grads = list[Tensor | None]


def rows(shapes: list[tuple[int, ...]], grads: Grads, parts: list[list[int]]) -> list[Tensor]:
    """Return the long row of each bucket of a rank's gradients."""
    whole = [torch.zeros(shape) if grad is None else grad for shape, grad in zip(shapes, grads, strict=True)]
    return [torch.cat([whole[place].flatten() for place in bucket]) for bucket in parts]


def averaged(shapes: list[tuple[int, ...]], ranks: list[Grads], rank: int, wrong: str = "") -> list[Tensor]:
    """Return every parameter's gradient, averaged over all ranks."""
    found = []
    for place, shape in enumerate(shapes):
        all_of = [grads[place] for grads in ranks]
        whole = [torch.zeros(shape) if grad is None else grad for grad in all_of]
        total = torch.stack(whole).sum(0)
        world = len(ranks)
        kinds = {SUM: total, TWICE: total / world**2, OWN: whole[rank], THROWN: whole[rank] / world}
        found.append(kinds.get(wrong, total / world))
    return found


# ── m09.5 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

CHUNKS = "every share but the last is rounded up: shares differ by at most one"
LAST = "what is left over goes to the last rank: the first ones get one more each"
DROPPED = "what is left over belongs to nobody"
STRIDED = "ranks take turns: a share is made of neighbours"
LISTED = "a share is a list or a slice: return a range"
SHARES = (CHUNKS, LAST, DROPPED, STRIDED)


def shard(n: int, rank: int, world: int, wrong: str = "") -> range:
    """Return a rank's share."""
    if wrong == CHUNKS:
        size = -(-n // world)
        return range(min(n, rank * size), min(n, (rank + 1) * size))
    if wrong == STRIDED:
        return range(rank, n, world)
    size = n // world
    if wrong in (LAST, DROPPED):
        return range(rank * size, n if wrong == LAST and rank == world - 1 else (rank + 1) * size)
    places = torch.arange(n).tensor_split(world)[rank]
    start = int(places[0]) if len(places) else min(n, rank * size + n % world)
    return range(start, start + len(places))


PLAIN = "the ranks' means are averaged as if all had as many rows"
ADDED = "the ranks' means are added up and not weighted by their rows"
DIVIDED_TWICE = "the whole gradient is divided by the number of ranks once more"
OWN_ROWS = "each rank steps by its own rows alone"
RANK_0 = "all ranks step by rank 0's rows alone"
EQUAL = "ranks drop rows until all have as many"
PADDED = "ranks repeat rows until all have as many"
CLIPPED_EACH = "each rank's own gradient is clipped: clip the whole one"
CLIPPED_PARTS = "each rank's part of the gradient is clipped before the parts are added up: clip the whole one"
CLIPPED_ALONE = "each parameter's gradient is clipped by itself: the norm is that of all together"
UNCLIPPED = "the gradient is not clipped"
UNMOVED = "no step is taken: the weights are as before"
STALE = "gradients from before the step are added to"
STEPS = (
    PLAIN, ADDED, DIVIDED_TWICE, OWN_ROWS, RANK_0, EQUAL, PADDED, CLIPPED_EACH, CLIPPED_PARTS, CLIPPED_ALONE,
    UNCLIPPED, UNMOVED, STALE,
)  # fmt: skip
LOSS_TENSOR = "the loss is a tensor: make a number of it with item()"
AFTER_LOSS = "the loss is that of the weights after the step"
OWN_LOSS = "the loss is of this rank's rows alone"
PLAIN_LOSS = "the loss is the mean of the ranks' means: weight them by their rows"
PART_LOSS = "the loss is this rank's part of the whole: add up all ranks' parts"

Batch = list[tuple[Tensor, ...]]  # of each rank its rows and targets


def net(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Return what probes.Net gives."""
    hidden = torch.tanh(x @ state["first.weight"].T + state["first.bias"])
    hidden = torch.where(x[:, :1] > 0, hidden * state["gain"], hidden)
    return hidden @ state["second.weight"].T + state["second.bias"]


def regression(state: dict[str, Tensor], x: Tensor, targets: Tensor) -> Tensor:
    """Return the mean, over the rows, of the squared distances."""
    return (net(state, x) - targets).square().sum(-1).mean()


def slopes(state: dict[str, Tensor], x: Tensor, targets: Tensor) -> tuple[float, list[Tensor]]:
    """Return a loss and its gradient, with zeros where nothing is used."""
    leaves = {name: value.clone().requires_grad_() for name, value in state.items()}
    loss = regression(leaves, x, targets)
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    wanted = zip(state.values(), found, strict=True)
    return float(loss.detach()), [torch.zeros_like(value) if grad is None else grad for value, grad in wanted]


def stepped(
    state: dict[str, Tensor], batches: list[Batch], lr: float, max_norm: float, rank: int, wrong: str = ""
) -> dict[str, Any]:
    """Return the whole batches' losses and the weights after a step for each, of SGD with a momentum of 0.9."""
    weights, speed = (
        {name: value.clone() for name, value in state.items()},
        [torch.zeros_like(v) for v in state.values()],
    )
    before, losses, after = [torch.ones_like(value) for value in state.values()], [], []
    for parts in batches:
        n = sum(len(x) for x, _ in parts)
        whole = [torch.cat(column) for column in zip(*parts, strict=True)]
        losses.append(float(regression(weights, *whole)))
        if wrong == EQUAL:
            fewest = min(len(x) for x, _ in parts)
            parts = [(x[:fewest], targets[:fewest]) for x, targets in parts]
            n = fewest * len(parts)
        if wrong == PADDED:
            most = max(len(x) for x, _ in parts)
            parts = [tuple(torch.cat([t, t[-1:].expand(most - len(t), -1)]) for t in part) for part in parts]
            n = most * len(parts)
        each = [slopes(weights, *part)[1] for part in parts]
        shares = [len(x) / n for x, _ in parts]
        if wrong == CLIPPED_EACH:
            each = [clipped(grads, max_norm) for grads in each]
        if wrong == CLIPPED_PARTS:
            parted = [[share * grad for grad in grads] for share, grads in zip(shares, each, strict=True)]
            each = [[g / share for g in clipped(p, max_norm)] for share, p in zip(shares, parted, strict=True)]
        shares = {PLAIN: [1 / len(parts)] * len(parts), ADDED: [1.0] * len(parts)}.get(wrong, shares)
        total = [
            sum(share * grad for share, grad in zip(shares, grads, strict=True)) for grads in zip(*each, strict=True)
        ]
        if wrong in (OWN_ROWS, RANK_0):
            total = each[rank if wrong == OWN_ROWS else 0]
        if wrong == DIVIDED_TWICE:
            total = [grad / len(parts) for grad in total]
        if wrong == STALE:
            total = [grad + len(parts) * old for grad, old in zip(total, before, strict=True)]
        if wrong == CLIPPED_ALONE:
            total = [clipped([grad], max_norm)[0] for grad in total]
        elif wrong not in (UNCLIPPED, CLIPPED_EACH, CLIPPED_PARTS):
            total = clipped(total, max_norm)
        before, speed = total, [0.9 * old + grad for old, grad in zip(speed, total, strict=True)]
        moves = zip(weights.items(), speed, strict=True)
        weights = {name: value - (0 if wrong == UNMOVED else lr) * move for (name, value), move in moves}
        after.append(float(regression(weights, *whole)))
    return {"losses": losses, "after": after, "weights": weights}


# ── m09.6 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

UNGATHERED = "a rank moves its own share and leaves the others as they were: get them from their ranks"
COUNTED_TWICE = "a step is counted twice"
UNCORRECTED = "the moments are not corrected for having begun at 0"
COUPLED = "weight decay goes into the gradient (Adam with L2): AdamW's stands beside it"
UNDECAYED = "there is no weight decay"
ONE_COUNT = "all parameters have one count: each has its own, of the steps for which it had a gradient"
IDLE_DECAYS = "a parameter without a gradient is decayed: it stays"
IDLE_MOVES = "a parameter without a gradient goes on by its momentum: it stays, and zero_grad leaves no zeros"
EPS_INSIDE = "eps stands under the root: it is added to the root"
ADDED_UP = "every rank's whole parameter is added up: outside of its share a rank adds zeros"
NOT_FORGOTTEN = "zero_grad leaves the gradients, and the next step takes them again"
DECAY_ALONE = "weight decay is not multiplied by lr"
BETAS_TURNED = "the two betas are mixed up"
UNROOTED = "the second moment is taken without its root"
EPS_FIRST = "eps is added before the second moment is corrected: it is added to the root of what is corrected"
UNMOVED_AT_ALL = (
    "nothing moves: parameters may come as an iterator, which is empty after the first look: make a list of it"
)
NARROW = "moments are float32 whatever the parameter is: they have its dtype"
MOVES = (
    UNGATHERED, COUNTED_TWICE, UNCORRECTED, COUPLED, UNDECAYED, ONE_COUNT, IDLE_DECAYS, IDLE_MOVES, EPS_INSIDE,
    ADDED_UP, NOT_FORGOTTEN, DECAY_ALONE, BETAS_TURNED, UNROOTED, EPS_FIRST, UNMOVED_AT_ALL,
)  # fmt: skip
STATE_WHOLE = "every rank keeps the state of all numbers: each keeps that of its share"


def moved(
    values: list[Tensor], steps: list[Grads], options: dict[str, Any], rank: int, world: int, wrong: str = ""
) -> list[list[Tensor]]:
    """Return the parameters after each of AdamW's steps."""
    lr, (beta1, beta2), eps, decay = (options[name] for name in ("lr", "betas", "eps", "weight_decay"))
    beta1, beta2 = (beta2, beta1) if wrong == BETAS_TURNED else (beta1, beta2)
    values = [value.clone() for value in values]
    moments = [(torch.zeros_like(value), torch.zeros_like(value)) for value in values]
    counts, seen = [0] * len(values), list[list[Tensor]]()
    last: Grads = [None] * len(values)
    for step in steps:
        last = [old if new is None else new for old, new in zip(last, step, strict=True)]
        step = last if wrong == NOT_FORGOTTEN else step
        for place, gradient in enumerate(step):
            value, (first, second) = values[place], moments[place]
            if gradient is None:
                counts[place] += wrong == ONE_COUNT
                if wrong == IDLE_DECAYS:
                    values[place] = value * (1 - lr * decay)
                if wrong != IDLE_MOVES:
                    continue
                gradient = torch.zeros_like(value)
            counts[place] += 2 if wrong == COUNTED_TWICE else 1
            slope = gradient + decay * value if wrong == COUPLED else gradient
            first, second = beta1 * first + (1 - beta1) * slope, beta2 * second + (1 - beta2) * slope.square()
            moments[place] = first, second
            count = counts[place]
            if wrong != UNCORRECTED:
                first, second = first / (1 - beta1**count), second / (1 - beta2**count)
            size = (second + eps).sqrt() if wrong == EPS_INSIDE else second.sqrt() + eps
            size = second + eps if wrong == UNROOTED else size
            if wrong == EPS_FIRST:
                size = second.sqrt() + eps / (1 - beta2**count) ** 0.5
            kept = value * (1 if wrong in (COUPLED, UNDECAYED) else 1 - (1 if wrong == DECAY_ALONE else lr) * decay)
            new = value if wrong == UNMOVED_AT_ALL else kept - lr * first / size
            if wrong == UNGATHERED:
                own = shard(value.numel(), rank, world)
                row = value.flatten().clone()
                row[own.start : own.stop] = new.flatten()[own.start : own.stop]
                new = row.view(value.shape)
            values[place] = new + (world - 1) * value if wrong == ADDED_UP else new
        seen.append([value.clone() for value in values])
    return seen
