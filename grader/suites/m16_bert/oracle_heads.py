"""The reference for what m16_bert reads off its vectors: the pooler, both heads, the loss; and for classic mistakes."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .oracle_model import EPS, TANH, Misses, State, linear, norm_of

SQUEEZED = "squeeze() without an axis also drops the batch of one: name the axis"


def pooled(hidden: Tensor, state: State, *, pick: str = "first", tanh: bool = True, dense: bool = True) -> Tensor:
    """Return each text's vector, in float64."""
    hidden = hidden.double()
    picked = {"first": hidden[:, 0], "last": hidden[:, -1], "mean": hidden.mean(dim=1), "all": hidden}[pick]
    x = linear(picked, state, "pooler") if dense else picked
    return x.tanh() if tanh else x


def pooled_misses(hidden: Tensor, state: State, mask: Tensor | None) -> Misses:
    """Compute what the classic mistakes make of a text's vector."""

    def wrong(**options: Any) -> Callable[[], Tensor]:
        return lambda: pooled(hidden, state, **options).float()

    misses: Misses = {
        "the tanh is missing": wrong(tanh=False),
        "the pooler is not applied": wrong(dense=False),
        "the first token's vector itself is returned: pooler and tanh are missing": wrong(dense=False, tanh=False),
        "the last token is read, not the first": wrong(pick="last"),
        "all tokens are averaged: the first one's vector is read": wrong(pick="mean"),
        "every token is pooled: the first one is, for the text": wrong(pick="all"),
    }
    if len(hidden) == 1:
        misses[SQUEEZED] = pooled(hidden, state)[0].float()
    if mask is not None:
        real = mask.double()[..., None]
        mean = (hidden.double() * real).sum(dim=1, keepdim=True) / real.sum(dim=1, keepdim=True)
        misses["the tokens are averaged: the first one's vector is read"] = lambda: pooled(mean, state).float()
    return misses


def token_scores(
    hidden: Tensor, state: State, *, transform: bool = True, act: Callable[[Tensor], Tensor] = F.gelu,
    norm: str = "after", bias: bool = True, table: Tensor | None = None, eps: float = EPS,
) -> Tensor:  # fmt: skip
    """Return the scores of every token of the vocabulary, in float64."""
    x = hidden.double()
    if transform:
        x = linear(x, state, "transform")
        x = norm_of(x, state, "transform_norm", eps) if norm == "before" else x
        x = norm_of(act(x), state, "transform_norm", eps) if norm == "after" else act(x)
    x = x @ (state["embeddings.words.weight"] if table is None else table).double().T
    return x + state["decoder.bias"].double() if bias else x


def score_misses(hidden: Tensor, state: State, eps: float) -> Misses:
    """Compute what the classic mistakes make of the tokens' scores."""

    def wrong(**options: Any) -> Callable[[], Tensor]:
        return lambda: token_scores(hidden, state, **{"eps": eps} | options).float()

    return {
        "transform and its norm are not applied": wrong(transform=False),
        "no activation follows transform": wrong(act=lambda x: x),
        TANH: wrong(act=lambda x: F.gelu(x, approximate="tanh")),
        "the activation after transform is tanh, which is the pooler's": wrong(act=torch.tanh),
        "the activation after transform is ReLU, and not GELU": wrong(act=F.relu),
        "transform_norm is not applied": wrong(norm="none"),
        "transform_norm stands before the activation: it comes after": wrong(norm="before"),
        "transform_norm's eps is 1e-5, torch's default, and not the model's": wrong(eps=1e-5),
        "transform_norm's eps is always 1e-12, and not the model's": wrong(eps=1e-12),
        "the decoder's bias is missing": wrong(bias=False),
        "the scores went through a softmax: the loss does that by itself": lambda: (
            token_scores(hidden, state, eps=eps).softmax(dim=-1).float()
        ),
        "the scores went through a log-softmax: the loss does that by itself": lambda: (
            token_scores(hidden, state, eps=eps).log_softmax(dim=-1).float()
        ),
    }


def follow_scores(vectors: Tensor, state: State) -> Tensor:
    """Return the two scores of each text, in float64."""
    return linear(vectors.double(), state, "follows")


def _costs(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    counts = labels != -100
    found = -scores.double().log_softmax(dim=-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return found.where(counts, 0.0), counts


def mean_of(costs: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of what counts, or 0."""
    return costs.sum() / counts.sum().clamp(min=1)


def loss(tokens: Tensor, labels: Tensor, pairs: Tensor, follows: Tensor) -> Tensor:
    """Add the two means, in float64."""
    return mean_of(*_costs(tokens, labels)) + mean_of(*_costs(pairs, follows))


def loss_misses(tokens: Tensor, labels: Tensor, pairs: Tensor, follows: Tensor) -> Misses:
    """Compute what the classic mistakes add up."""
    costs, counts = _costs(tokens, labels)
    second, told = _costs(pairs, follows)
    one, two = mean_of(costs, counts), mean_of(second, told)
    shifted, further = _costs(tokens[:, :-1], labels[:, 1:])
    every, _ = _costs(tokens, labels.clamp(min=0))
    turned, _ = _costs(pairs, torch.where(follows < 0, follows, 1 - follows))
    again, _ = _costs(tokens.double().softmax(dim=-1), labels)
    rows = counts.sum(dim=1)
    by_row = (costs.sum(dim=1) / rows.clamp(min=1)).sum() / (rows > 0).sum().clamp(min=1)
    dtype = torch.float64 if tokens.dtype == torch.float64 else torch.float32
    nought = mean_of(costs.where(labels != 0, 0.0), counts & (labels != 0))
    first = mean_of(second.where(follows != 0, 0.0), told & (follows != 0))
    misses: Misses = {
        "label 0 is left out, as if it did not count": lambda: nought + first,
        "a token's label 0 is left out, as if it did not count": lambda: nought + two,
        "a pair's label 0 is left out, as if it did not count": lambda: one + first,
        "the pairs are left out: two means are added": lambda: one,
        "the tokens are left out: two means are added": lambda: two,
        "the two means are averaged: they are added": lambda: (one + two) / 2,
        "labels are shifted: here a token is asked for at its own place": lambda: (
            shifted.sum() / further.sum().clamp(min=1) + two
        ),
        "the tokens' sum is divided by all places, also by those that do not count": lambda: (
            costs.sum() / counts.numel() + two
        ),
        "-100 is taken for token 0, and counts": lambda: every.mean() + two,
        "rows are averaged first: in a row with few holes each then weighs more": lambda: by_row + two,
        "the losses are summed, not averaged": lambda: costs.sum() + second.sum(),
        "the tokens' losses are summed, not averaged": lambda: costs.sum() + two,
        "tokens and pairs are in one mean: each has its own": lambda: (
            (costs.sum() + second.sum()) / (counts.sum() + told.sum()).clamp(min=1)
        ),
        "the pairs' sum is divided by all pairs, also by those that do not count": lambda: (
            one + second.sum() / len(told)
        ),
        "a pair's label is read the wrong way round: 0 follows": lambda: one + turned.sum() / told.sum().clamp(min=1),
        "the tokens' scores went through a softmax first": lambda: again.sum() / counts.sum().clamp(min=1) + two,
        "the loss is in bits, not in nats": lambda: (one + two) / math.log(2),
        "the sign is missing": lambda: -(one + two),
    }

    def rounded(give: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return lambda: give().to(dtype)

    return {words: rounded(give) for words, give in misses.items()}
