"""The reference for m00_warmup, in float64, with what the classic mistakes give, and a GPU that is played."""

import functools
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

Misses = dict[str, Callable[[], Any]]

OVERFLOW = "the exponential overflows: subtract the largest score of each slice first"
LOG_OF_ZERO = "the logarithm is taken of a probability that has become 0: subtract the log of the sum instead"
NO_BFLOAT16 = "this dtype is not provided for: NumPy, for one, has no bfloat16"
NO_AVAILABLE = "available=None is not provided for: ask torch then"
NO_SYNCHRONIZE = "synchronize=None is not provided for: take the device's own then, or nothing"
ONE_ASKED = "torch is not asked of cuda and mps each: cuda is asked for both, or one is left out"
SWAPPED = "the two are swapped: the loss comes first, then the new weight"
NEVER_ASKS = "torch is not asked what there is: without `available` the device is always the CPU"
NEVER_WAITS = "nothing waits for the device when synchronize is None: call torch's own for that device"
ASLEEP = "the clock is read while the device is still at work: synchronise after the call as well"
NEVER = "nobody waits for the device: call synchronize"
AS_ONE = "all repeats are timed as one: each call has a time of its own"
MEAN = "the mean is taken: one disturbed call spoils it, the median does not care"
NEITHER = "the clock is read twice while the device is at work: synchronise before each reading"
LEFTOVER = "work that was left from before is timed too: synchronise before the first reading of the clock as well"


def softmax(x: Tensor, *, along: int = -1) -> Tensor:
    """Compute in float64, and return the dtype of x."""
    powers = torch.exp(x.double() - x.double().amax(along, keepdim=True))
    return (powers / powers.sum(along, keepdim=True)).to(x.dtype)


HIDDEN = {
    tiny: f"a small number ({tiny:g}) is added, or is the least, before the logarithm: that hides the truth"
    for tiny in (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6)
}
TOO_EARLY = {kind: f"{kind} comes too early: the order is cuda, mps, cpu" for kind in ("mps", "cpu")}


def log_softmax(x: Tensor, *, along: int = -1) -> Tensor:
    """Compute in float64, and return the dtype of x."""
    shifted = x.double() - x.double().amax(along, keepdim=True)
    return (shifted - shifted.exp().sum(along, keepdim=True).log()).to(x.dtype)


def _plain(x: Tensor, dim: int, less: Tensor | float = 0.0) -> Tensor:
    powers = torch.exp(x - less)
    return powers / powers.sum(dim, keepdim=True)


def _half(x: Tensor, dim: int) -> Tensor:
    less = x - x.amax(dim, keepdim=True)
    return less.exp() / less.exp().sum(-1, keepdim=True)


def softmax_misses(x: Tensor, dim: int = -1) -> Misses:
    """Compute what the classic mistakes give for the same scores."""
    return {
        "dim is ignored: the last axis is normalised whatever it says": lambda: softmax(x),
        "dim is ignored: the first axis is normalised whatever it says": lambda: softmax(x, along=0),
        "the sum runs over the last axis whatever dim says": lambda: _half(x, dim),
        "all scores share one sum: sum along dim only": lambda: softmax(x.flatten()).reshape(x.shape),
        "the largest score is subtracted a second time, as if it were a logarithm": lambda: log_softmax(x, along=dim),
        OVERFLOW: lambda: _plain(x, dim),
        "the largest score of the whole tensor is subtracted: take the largest of each slice": lambda: _plain(
            x, dim, x.max()
        ),
        "the mean is subtracted: only the largest score keeps every power at 1 or below": lambda: _plain(
            x, dim, x.mean(dim, keepdim=True)
        ),
        "the smallest score is subtracted instead of the largest": lambda: _plain(x, dim, x.amin(dim, keepdim=True)),
    }


def log_softmax_misses(x: Tensor, dim: int = -1) -> Misses:
    """Compute what the classic mistakes give for the same scores."""
    misses: Misses = {
        "dim is ignored: the last axis is normalised whatever it says": lambda: log_softmax(x),
        "dim is ignored: the first axis is normalised whatever it says": lambda: log_softmax(x, along=0),
        LOG_OF_ZERO: lambda: softmax(x, along=dim).log(),
        OVERFLOW: lambda: x - x.exp().sum(dim, keepdim=True).log(),
        "the largest score is subtracted from the sum and not from the score": lambda: (
            x - (x - x.amax(dim, keepdim=True)).exp().sum(dim, keepdim=True).log()
        ),
        "the largest score of the whole tensor is subtracted: take the largest of each slice": lambda: (
            x - x.max() - (x - x.max()).exp().sum(dim, keepdim=True).log()
        ),
        "these are probabilities, and no logarithms of them": lambda: softmax(x, along=dim),
    }
    for tiny, words in HIDDEN.items():
        misses[words] = functools.partial(_nudged, x, dim, tiny)
        misses[words + " "] = functools.partial(_floored, x, dim, tiny)
    return misses


def _nudged(x: Tensor, dim: int, tiny: float) -> Tensor:
    return (softmax(x, along=dim) + tiny).log()


def _floored(x: Tensor, dim: int, tiny: float) -> Tensor:
    return softmax(x, along=dim).clamp(min=tiny).log()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute in float64, and return the dtype of the logits."""
    return -log_softmax(logits.double()).gather(1, targets[:, None]).mean().to(logits.dtype)


def cross_entropy_misses(logits: Tensor, targets: Tensor) -> Misses:
    """Compute what the classic mistakes give for the same batch."""
    right, logs = cross_entropy(logits, targets), log_softmax(logits.double())
    batch, vocab_size = logits.shape
    dtype = logits.dtype
    rows = torch.arange(batch)
    return {
        "the minus sign is missing": lambda: -right,
        "the losses are summed: the mean over the batch is asked for": lambda: right * batch,
        "the sum is divided by batch times vocab_size: the mean is over the batch": lambda: right / vocab_size,
        "the losses are not averaged": lambda: -logs[rows, targets].to(dtype),
        "the logits are taken for probabilities: log_softmax comes first": lambda: -logits[rows, targets].mean(),
        "softmax is taken twice: logits go in, not probabilities": lambda: cross_entropy(softmax(logits), targets),
        "the probabilities are averaged before the logarithm, not after": lambda: (
            -(logs[rows, targets].exp().mean().log().to(dtype))
        ),
        "the logarithm is to the base 2": lambda: right / math.log(2),
        "the softmax runs over the batch (dim=0) instead of the vocabulary": lambda: (
            -log_softmax(logits.double(), along=0)[rows, targets].mean().to(dtype)
        ),
        "targets[i] picks a column for all rows: index with the row numbers as well": lambda: (
            -logs[:, targets].mean().to(dtype)
        ),
        LOG_OF_ZERO: lambda: -softmax(logits)[rows, targets].log().mean(),
    }


def autograd(weight: Tensor, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss and its gradient as torch's own loss and autograd give them in float64."""
    leaf = weight.double().requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(x.double() @ leaf.T, targets)
    return loss.detach(), torch.autograd.grad(loss, leaf)[0]


def gradient_step(weight: Tensor, x: Tensor, targets: Tensor, learning_rate: float) -> tuple[Tensor, Tensor]:
    """Take the step in float64, and return the dtype of the weight."""
    loss, gradient = autograd(weight, x, targets)
    return loss.to(weight.dtype), (weight.double() - learning_rate * gradient).to(weight.dtype)


def step_misses(weight: Tensor, x: Tensor, targets: Tensor, learning_rate: float) -> tuple[Misses, Misses]:
    """Compute what the classic mistakes make of the loss and of the new weight."""
    gradient = autograd(weight, x, targets)[1]
    wide, inputs = weight.double(), x.double()
    batch, n_classes = len(x), len(weight)
    chances = softmax(inputs @ wide.T)
    one_hot = torch.nn.functional.one_hot(targets, n_classes).double()

    def less(change: Tensor) -> Callable[[], Tensor]:
        return lambda: (wide - learning_rate * change).to(weight.dtype)

    after = gradient_step(weight, x, targets, learning_rate)[1]
    losses = cross_entropy_misses(x @ weight.T, targets) | {
        "the loss is the one after the step: compute it with the weight that came in": lambda: autograd(
            after, x, targets
        )[0].to(weight.dtype),
    }
    return losses, {
        "the step goes up: subtract the gradient": less(-gradient),
        "the gradient is not divided by the batch: the loss is a mean": less(gradient * batch),
        "the gradient is divided by n_classes as well, or instead of the batch": less(gradient * batch / n_classes),
        "the gradient is divided by batch times n_classes: divide by the batch": less(gradient / n_classes),
        "the target is forgotten: take 1 off the target's probability": less(chances.T @ inputs / batch),
        "the probabilities are forgotten: the gradient is not the one-hot target alone": less(
            -one_hot.T @ inputs / batch
        ),
        "1 is taken off the logit of the target, not off its probability": less(
            (inputs @ wide.T - one_hot).T @ inputs / batch
        ),
        "the softmax runs over the batch instead of the classes": less(
            (softmax(inputs @ wide.T, along=0) - one_hot).T @ inputs / batch
        ),
        "learning_rate is not used": lambda: (wide - gradient).to(weight.dtype),
        "the gradient is returned, and not the new weight": lambda: gradient.to(weight.dtype),
        "the weight comes back as it was": lambda: weight,
    }


def count(ids: Tensor, vocab_size: int) -> Tensor:
    """Count pairs one by one."""
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.int64)
    for first, second in zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True):
        counts[first, second] += 1
    return counts


def count_misses(ids: Tensor, vocab_size: int) -> Misses:
    """Count as the classic mistakes do."""
    counts = count(ids, vocab_size)
    used = int(ids.max()) + 1
    return {
        "rows and columns are swapped: the row is the token that comes first": lambda: counts.T,
        "each pair counts only once: counts[first, second] += 1 does not add up repeated pairs": lambda: counts.clamp(
            max=1
        ),
        "the last pair is missing": lambda: count(ids[:-1], vocab_size),
        "the first pair is missing": lambda: count(ids[1:], vocab_size),
        "the last token is paired with the first: a text is no ring": lambda: count(
            torch.cat([ids, ids[:1]]), vocab_size
        ),
        "pairs do not overlap: every token but the ends belongs to two": lambda: count_blocks(ids, vocab_size),
        "the table is as large as the ids seen: its side is vocab_size": lambda: counts[:used, :used],
    }


def count_blocks(ids: Tensor, vocab_size: int) -> Tensor:
    """Count only the pairs that begin at even places."""
    counts = torch.zeros(vocab_size, vocab_size, dtype=torch.int64)
    for at in range(0, len(ids) - 1, 2):
        counts[ids[at], ids[at + 1]] += 1
    return counts


def shares(counts: Tensor, empty: float | None = None) -> Tensor:
    """Turn counts into shares of their rows; a row without any holds `empty`, or 1 / vocab_size."""
    totals = counts.double().sum(1, keepdim=True)
    empty = 1 / len(counts) if empty is None else empty
    return torch.where(totals > 0, counts / totals.clamp(min=1), torch.full_like(totals, empty)).float()


def share_misses(ids: Tensor, vocab_size: int) -> Misses:
    """Compute what the classic mistakes give for the same text."""
    counts = count(ids, vocab_size)
    smooth = counts + 1
    return {
        "a row without counts divides 0 by 0: make it uniform": lambda: shares(counts, math.nan),
        "a row without counts is all zeros: it must be uniform": lambda: shares(counts, 0.0),
        "one is added to every count: no smoothing is asked for": lambda: shares(smooth),
        "the columns are normalised instead of the rows": lambda: shares(counts.T).T,
        "all pairs share one total: divide each row by its own": lambda: (counts / counts.sum()).float(),
        "rows and columns are swapped: the row is the token that comes first": lambda: shares(counts.T),
        "each row is divided by how often its token occurs, the very last one included": lambda: (
            counts / torch.bincount(ids, minlength=vocab_size)[:, None]
        ).float(),
    }


def train(counts: Tensor, steps: int, learning_rate: float, *, mean: bool = True) -> Tensor:
    """Descend from zero logits in float64, by the counts: the gradient of row i is its count times (p - share)."""
    counts = counts.double()
    totals = counts.sum(1, keepdim=True)
    logits = torch.zeros_like(counts)
    for _ in range(steps):
        gradient = totals * softmax(logits) - counts
        logits -= learning_rate * gradient / (counts.sum() if mean else 1)
    return logits.float()


def train_misses(ids: Tensor, vocab_size: int, steps: int, learning_rate: float) -> Misses:
    """Train as the classic mistakes do."""
    tiny = 1e-8

    def wrong(steps: int = steps, rate: float = learning_rate, **options: bool) -> Callable[[], Tensor]:
        return lambda: train(count(ids, vocab_size), steps, rate, **options)

    return {
        "the table is transposed: row i holds what follows token i": lambda: wrong()().T,
        "there is one step too few": wrong(max(steps - 1, 0)),
        "there is one step too many": wrong(steps + 1),
        "the pairs' losses are summed: each step is on their mean": wrong(mean=False),
        "the training goes up instead of down": wrong(rate=-learning_rate),
        "these are probabilities: logits are asked for": lambda: softmax(wrong()()),
        "these are logarithms of the counted shares: nothing was trained": lambda: (
            shares(count(ids, vocab_size)) + tiny
        ).log(),
    }


def text(draw: Any, vocab_size: int, length: int, used: int) -> Tensor:
    """Draw a text in which each of the first `used` tokens is followed by each of them, some more often."""
    chances = torch.rand(used, used, generator=draw.generator) + 0.5
    ids = [0]
    while len(ids) < length:
        ids.append(int(torch.multinomial(chances[ids[-1]], 1, generator=draw.generator)))
    every = [part for i in range(used) for j in range(used) for part in (i, j)]  # every pair at least once
    return torch.tensor(every + ids)


class Gpu:
    """A GPU that is played: a call only queues its work, and the clock stands still until somebody waits."""

    def __init__(self, work: Iterable[float], launch: float = 0.0) -> None:
        self.work, self.launch = iter(work), launch
        self.now, self.queued, self.log = 100.0, 0.0, ""

    def call(self, *_: object) -> None:
        """Queue the next piece of work, which takes as long as the list says."""
        self.log += "f"
        self.now += self.launch
        self.queued += next(self.work, 0.0)

    def wait(self, *_: object) -> None:
        """Work off the queue."""
        self.log += "s"
        self.now, self.queued = self.now + self.queued, 0.0

    def clock(self) -> float:
        """Read the time."""
        self.log += "c"
        return self.now


def in_order(log: str, warmup: int, repeats: int) -> bool:
    """Whether untimed calls come first, then wait, clock, call, wait, clock; an idle device may be waited for again."""
    untimed, _, _ = log.partition("c")
    while "ss" in log:
        log = log.replace("ss", "s")
    calls = [at for at, event in enumerate(log) if event == "f"]
    timed = log[calls[warmup - 1] + 1 :] if warmup else log
    return untimed.count("f") == warmup and timed.rstrip("s") == ("scfsc" * repeats)


def spelt(log: str) -> str:
    """Spell the beginning of a log out."""
    names = {"f": "function", "s": "synchronize", "c": "clock"}
    return ", ".join([names[event] for event in log[:100]] + ["…"] * (len(log) > 100)) or "none"


def order_mistake(log: str, warmup: int, repeats: int) -> str | None:
    """Say what is wrong with the order of calls (f), waiting (s) and readings of the clock (c), if it is a classic."""
    calls = log.count("f")
    if calls == repeats != warmup + repeats:
        return "there is no warm-up"
    if calls == warmup + repeats and "c" in log[: log.index("f")] and warmup:
        return "the warm-up calls are timed"
    if "s" not in log:
        return NEVER
    early, late = re.search("cs*fc", log), re.search("(^|[fc])cs*f", log)  # after a call, and before one
    if early and late:
        return NEITHER
    if early or late:
        return ASLEEP if early else LEFTOVER
    if log.count("c") == 2 and repeats > 1:
        return AS_ONE
    return None


def time_misses(gpu: Gpu, times: tuple[float, ...], warmup: tuple[float, ...] = ()) -> dict[str, Tensor]:
    """Say what classic mistakes make of the same work; what was called in which order tells some of them apart."""
    middle = sorted(times)
    seconds = {
        MEAN if gpu.log.count("c") != 2 else AS_ONE: sum(times) / len(times),
        "the fastest call is returned, not the median": middle[0],
        "the slowest call is returned, not the median": middle[-1],
        "the calls' times are summed": sum(times),
        "the lower of the middle two is taken: their mean is the median": middle[(len(times) - 1) // 2],
        "the upper of the middle two is taken: their mean is the median": middle[len(times) // 2],
        "the time of the call in the middle is returned: the list was not sorted": times[len(times) // 2],
        ASLEEP if "s" in gpu.log else NEVER: gpu.launch,
        LEFTOVER: sum(warmup) + times[0],
    }
    return {words: torch.tensor(value, dtype=torch.float64) for words, value in seconds.items()}
