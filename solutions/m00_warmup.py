"""m00_warmup: from scores to probabilities, from these to a loss, and from a loss to a model that has learnt.

The softmax makes probabilities of a model's scores (logits), the cross-entropy says how wrong they are, its gradient
how to be less wrong. The smallest language model, a table of which token follows which, can be had by counting or by
descending that gradient, and both agree. Left out: optimizers (m08), any context longer than one token (m04).
Not allowed as functions, methods or modules, since they are what you are building: softmax, log_softmax, logsumexp and
their kin, cross_entropy, nll_loss, backward, torch.autograd, torch.func, torch.optim.
"""

import statistics
import time
from collections.abc import Callable

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def softmax(x: Float[Tensor, "..."], dim: int = -1) -> Float[Tensor, "..."]:
    """Turn the scores along an axis into probabilities: e to each score, divided by their sum. x stays as it is.
    Scores of any size give finite results, minus infinity gives 0; any floating dtype goes in and comes out. Example:
    [0, ln 3] and [1000, 1000 + ln 3] both give [1/4, 3/4]. Source: Goodfellow et al., Deep Learning (2016), 4.1.
    """
    # The same factor above and below the line cancels, so any constant may be subtracted. With the largest score of
    # each slice no power exceeds 1, and the sum is at least 1. The largest of the whole tensor would not do: a slice
    # far below it would be all zeros, and 0 / 0.
    powers = torch.exp(x - x.amax(dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)


def log_softmax(x: Float[Tensor, "..."], dim: int = -1) -> Float[Tensor, "..."]:
    """Return log(softmax(x, dim)), right also where the probability is too small to exist: [0, 1000] is [-1000, 0]."""
    # Pitfall: log(softmax(x)). The log of a quotient is a difference, so the tiny number never needs to exist.
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def cross_entropy(logits: Float[Tensor, "batch vocab_size"], targets: Int64[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Return the mean over the batch of -ln(probability of the target).
    Example: logits [[0, ln 3], [0, ln 3]], targets [1, 0]: (ln(4/3) + ln 4) / 2. Raises ValueError naming both shapes
    unless each row has one target, and naming the target and vocab_size when one is not in 0..vocab_size-1.
    """
    batch, vocab_size = logits.shape
    # A column of targets would broadcast against the rows, quietly, to batch times batch numbers.
    if targets.shape != (batch,):
        raise ValueError(f"logits {tuple(logits.shape)} do not go with targets {tuple(targets.shape)}")
    _check_ids(targets, vocab_size)
    rows = torch.arange(batch, device=logits.device)
    return -log_softmax(logits)[rows, targets].mean()  # (batch, vocab_size) -> (batch,) -> ()


def gradient_step(
    weight: Float[Tensor, "n_classes d_in"],
    x: Float[Tensor, "batch d_in"],
    targets: Int64[Tensor, "batch"],
    learning_rate: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, "n_classes d_in"]]:
    """Take one step down cross_entropy(x @ weight.T, targets): return (the loss before it, the weight after it).
    The gradient is by hand, and no argument changes. Example: weight [[0], [0]], x [[2]], targets [1], learning_rate
    0.5: loss ln 2, probabilities [1/2, 1/2], gradient [[1], [-1]], new weight [[-0.5], [0.5]].
    """
    logits = x @ weight.T  # (batch, d_in) @ (d_in, n_classes) -> (batch, n_classes)
    loss = cross_entropy(logits, targets)
    # The derivative by each logit: its probability, minus 1 where it is the target's.
    error = softmax(logits)
    error[torch.arange(len(targets), device=error.device), targets] -= 1
    gradient = error.T @ x / len(targets)  # the loss is a mean, so its gradient is one
    return loss, weight - learning_rate * gradient


def count_bigrams(ids: Int64[Tensor, "seq"], vocab_size: int) -> Int64[Tensor, "vocab_size vocab_size"]:
    """Count how often token j comes right after token i, in row i and column j.
    Example: [0, 1, 1, 1, 0] and 3 tokens: [[0, 1, 0], [1, 2, 0], [0, 0, 0]]. Fewer than two ids: zeros. Raises
    ValueError naming the id and vocab_size when one is not in 0..vocab_size-1.
    """
    _check_ids(ids, vocab_size)
    # Each pair gets one number, so that repeated pairs add up: counts[first, second] += 1 would add 1 only once.
    pairs = ids[:-1] * vocab_size + ids[1:]
    return torch.bincount(pairs, minlength=vocab_size**2).reshape(vocab_size, vocab_size)


def bigram_by_counting(ids: Int64[Tensor, "seq"], vocab_size: int) -> Float[Tensor, "vocab_size vocab_size"]:
    """Return float32 probabilities of the next token: each row's counts as shares, unsmoothed.
    The row of a token that nothing follows is uniform. Example: [0, 1, 1, 1, 0] and 3 tokens:
    [[0, 1, 0], [1/3, 2/3, 0], [1/3, 1/3, 1/3]].
    """
    counts = count_bigrams(ids, vocab_size)
    totals = counts.sum(1, keepdim=True)  # (vocab_size, 1): one for each row
    return torch.where(totals > 0, counts / totals, 1 / vocab_size)


def bigram_by_training(
    ids: Int64[Tensor, "seq"], vocab_size: int, steps: int, learning_rate: float
) -> Float[Tensor, "vocab_size vocab_size"]:
    """Learn the same table, on the ids' device: row i holds the float32 logits of what follows token i.
    From zero logits take exactly `steps` plain steps with your gradient_step, each on the mean cross-entropy of all
    pairs; a row that never occurs stays 0. Example: [0, 1, 0], 2 tokens, 1 step, learning_rate 4: [[-1, 1], [1, -1]].
    """
    # A one-hot vector picks a column of the weight, so column i is the logits after token i.
    x = torch.eye(vocab_size, device=ids.device)[ids[:-1]]  # (seq - 1, vocab_size)
    weight = torch.zeros(vocab_size, vocab_size, device=ids.device)
    for _ in range(steps):
        _, weight = gradient_step(weight, x, ids[1:], learning_rate)
    return weight.T


def pick_device(preferred: str | None = None, available: Callable[[str], bool] | None = None) -> torch.device:
    """Return the preferred device ("cuda:1" keeps its index), or else the first that is there of cuda, mps, cpu.
    available("cuda") and available("mps") say what is there; None: ask torch. Raises ValueError naming what is not.
    """
    available = available or _torch_has
    if preferred is None:
        return torch.device(next((kind for kind in ("cuda", "mps") if available(kind)), "cpu"))
    device = torch.device(preferred)
    # Falling back silently would let somebody wait for a day on the wrong device.
    if device.type in ("cuda", "mps") and not available(device.type):
        raise ValueError(f"{device} was asked for and is not available here")
    return device


def time_call(
    function: Callable[[], object],
    device: str | torch.device = "cpu",
    repeats: int = 5,
    warmup: int = 1,
    synchronize: Callable[[], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the median seconds of `repeats` calls, after `warmup` calls that nobody times.
    Each goes: synchronize(), clock(), function(), synchronize(), clock(). None is the device's own synchronize (cuda,
    mps) or nothing. An even number's median is the mean of the middle two. Example: a clock of 0, 1, 2, 9, 10, 13 and
    3 repeats: 1, 7 and 3 seconds, so 3.0. Raises ValueError naming the number when repeats < 1 or warmup < 0.
    """
    if repeats < 1 or warmup < 0:
        raise ValueError(f"repeats must be at least 1 and warmup at least 0, not {repeats} and {warmup}")
    if synchronize is None:
        synchronize = _own_synchronize(torch.device(device))
    for _ in range(warmup):
        function()
    seconds = []
    for _ in range(repeats):
        # A GPU's queue is filled first and worked off later. Before: work that was left there is none of this call's.
        synchronize()
        start = clock()
        function()
        synchronize()  # after: the call has come back, its work may have hardly begun
        seconds.append(clock() - start)
    return float(statistics.median(seconds))


def _check_ids(ids: Tensor, vocab_size: int) -> None:
    """Refuse ids outside the vocabulary: -1 would pick the last token without a word."""
    wrong = ids[(ids < 0) | (ids >= vocab_size)]
    if len(wrong):
        raise ValueError(f"the id {int(wrong[0])} is not in a vocabulary of {vocab_size}")


def _torch_has(kind: str) -> bool:
    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()


def _own_synchronize(device: torch.device) -> Callable[[], object]:
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return torch.mps.synchronize if device.type == "mps" else lambda: None
