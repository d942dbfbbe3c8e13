"""m00_warmup: from scores to probabilities, from these to a loss, and from a loss to a model that has learnt.

The softmax makes probabilities of a model's scores (logits), the cross-entropy says how wrong they are, its gradient
how to be less wrong. The smallest language model, a table of which token follows which, can be had by counting or by
descending that gradient, and both agree. Left out: optimizers (m08), any context longer than one token (m04).
Not allowed as functions, methods or modules, since they are what you are building: softmax, log_softmax, logsumexp and
their kin, cross_entropy, nll_loss, backward, torch.autograd, torch.func, torch.optim.
"""

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
    raise NotImplementedError("m00.1")  # TODO(m00.1): shift each slice, take powers, divide by their sum.


def log_softmax(x: Float[Tensor, "..."], dim: int = -1) -> Float[Tensor, "..."]:
    """Return log(softmax(x, dim)), right also where the probability is too small to exist: [0, 1000] is [-1000, 0]."""
    raise NotImplementedError("m00.1")  # TODO(m00.1): a difference of logarithms, without the softmax itself.


def cross_entropy(logits: Float[Tensor, "batch vocab_size"], targets: Int64[Tensor, "batch"]) -> Float[Tensor, ""]:
    """Return the mean over the batch of -ln(probability of the target).
    Example: logits [[0, ln 3], [0, ln 3]], targets [1, 0]: (ln(4/3) + ln 4) / 2. Raises ValueError naming both shapes
    unless each row has one target, and naming the target and vocab_size when one is not in 0..vocab_size-1.
    """
    raise NotImplementedError("m00.2")  # TODO(m00.2): check the targets, pick their log-probabilities, average.


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
    raise NotImplementedError("m00.3")  # TODO(m00.3): logits, loss, gradient by hand, step.


def count_bigrams(ids: Int64[Tensor, "seq"], vocab_size: int) -> Int64[Tensor, "vocab_size vocab_size"]:
    """Count how often token j comes right after token i, in row i and column j.
    Example: [0, 1, 1, 1, 0] and 3 tokens: [[0, 1, 0], [1, 2, 0], [0, 0, 0]]. Fewer than two ids: zeros. Raises
    ValueError naming the id and vocab_size when one is not in 0..vocab_size-1.
    """
    raise NotImplementedError("m00.4")  # TODO(m00.4): count each neighbouring pair, repeated ones too.


def bigram_by_counting(ids: Int64[Tensor, "seq"], vocab_size: int) -> Float[Tensor, "vocab_size vocab_size"]:
    """Return float32 probabilities of the next token: each row's counts as shares, unsmoothed.
    The row of a token that nothing follows is uniform. Example: [0, 1, 1, 1, 0] and 3 tokens:
    [[0, 1, 0], [1/3, 2/3, 0], [1/3, 1/3, 1/3]].
    """
    raise NotImplementedError("m00.4")  # TODO(m00.4): divide each row by its own sum; mind a row of zeros.


def bigram_by_training(
    ids: Int64[Tensor, "seq"], vocab_size: int, steps: int, learning_rate: float
) -> Float[Tensor, "vocab_size vocab_size"]:
    """Learn the same table, on the ids' device: row i holds the float32 logits of what follows token i.
    From zero logits take exactly `steps` plain steps with your gradient_step, each on the mean cross-entropy of all
    pairs; a row that never occurs stays 0. Example: [0, 1, 0], 2 tokens, 1 step, learning_rate 4: [[-1, 1], [1, -1]].
    """
    raise NotImplementedError("m00.4")  # TODO(m00.4): zero logits, one-hot inputs, as many steps as asked for.


def pick_device(preferred: str | None = None, available: Callable[[str], bool] | None = None) -> torch.device:
    """Return the preferred device ("cuda:1" keeps its index), or else the first that is there of cuda, mps, cpu.
    available("cuda") and available("mps") say what is there; None: ask torch. Raises ValueError naming what is not.
    """
    raise NotImplementedError("m00.5")  # TODO(m00.5): the preference if there is one, else the best there is.


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
    raise NotImplementedError("m00.5")  # TODO(m00.5): warm up, then time each call with the device idle at both ends.
