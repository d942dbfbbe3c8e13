"""The reference for what m12_preference makes of rewards: advantages, the clipped loss, three estimates, credit."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .oracle import Misses, rounded

OWN_EPS = "eps is not used: 0.2 stands in its place"
ONE_A_ROW = "one advantage is used for a whole row, although each token has its own"
ROW_MEAN = "advantages are averaged over a row, although each token has its own"
COUNTED_MEAN = "advantages are averaged over a row's tokens that count, although each has its own"

# ── m12.4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    """Return each reward's advantage within its row, in float64."""
    away, spread = _within(rewards)
    return away / (spread + eps)


def _within(rewards: Tensor, correction: int = 1) -> tuple[Tensor, Tensor]:
    away = rewards.double() - rewards.double().mean(dim=1, keepdim=True)
    return away, (away.square().sum(dim=1, keepdim=True) / (rewards.shape[1] - correction)).sqrt()


def advantage_misses(rewards: Tensor, eps: float) -> Misses:
    """Compute what the classic mistakes make of a table of rewards."""
    away, spread = _within(rewards)
    _, wide = _within(rewards, 0)
    given = rewards.double()
    return rounded(
        {
            "the deviation's divisor is size, not size - 1": lambda: away / (wide + eps),
            "the deviation is that of all rewards, not of the group": lambda: away / (given.std() + eps),
            "the mean is that of all rewards, not of the group": lambda: (given - given.mean()) / (spread + eps),
            "mean and deviation are those of all rewards, not of the group": lambda: (
                (given - given.mean()) / (given.std() + eps)
            ),
            "groups are taken for columns: a group is a row": lambda: advantages(given.T, eps).T,
            "the mean alone is subtracted: divide by the deviation too": lambda: away,
            "it is divided by the variance, not by its root": lambda: away / (spread.square() + eps),
            "eps is added to the variance: it belongs to its root": lambda: away / (spread.square() + eps).sqrt(),
            "eps is missing": lambda: away / spread,
            "eps is not used: 1e-4 stands in its place": lambda: away / (spread + 1e-4),
            "the deviation is at least eps, instead of eps more": lambda: away / spread.clamp(min=eps),
            "the mean is not subtracted": lambda: given / (spread + eps),
            "the sign is turned: more reward is a larger advantage": lambda: -away / (spread + eps),
            "the median is subtracted, not the mean": lambda: (
                (given - given.quantile(0.5, dim=1, keepdim=True)) / (spread + eps)
            ),
            "the best of the group is subtracted, not the mean": lambda: (
                (given - given.amax(dim=1, keepdim=True)) / (spread + eps)
            ),
            "the deviation is the mean distance from the mean": lambda: (
                away / (away.abs().mean(dim=1, keepdim=True) + eps)
            ),
        },
        rewards.dtype,
    )


def clipped_loss(logp: Tensor, old: Tensor, gains: Tensor, mask: Tensor, eps: float = 0.2) -> Tensor:
    """Return PPO's loss, in float64."""
    return _average(_costs(logp, old, gains, mask, eps), mask)


def _average(costs: Tensor, mask: Tensor) -> Tensor:
    return costs.where(mask, 0.0).sum() / mask.sum().clamp(min=1)


def _costs(logp: Tensor, old: Tensor, gains: Tensor, mask: Tensor, eps: float, low: float | None = None) -> Tensor:
    ratio = (logp.double() - old.double()).where(mask, 0.0).exp()
    low = 1 - eps if low is None else low
    return -torch.minimum(ratio * gains, ratio.clamp(low, 1 + eps) * gains)


def _clipped(ratio: Tensor, gains: Tensor, eps: float) -> Tensor:
    return -torch.minimum(ratio * gains, ratio.clamp(1 - eps, 1 + eps) * gains)


def clip_misses(logp: Tensor, old: Tensor, gains: Tensor, mask: Tensor, eps: float) -> Misses:
    """Compute what the classic mistakes lose."""
    apart = (logp.double() - old.double()).where(mask, 0.0)
    ratio, wide = apart.exp(), gains.double().expand(logp.shape)
    clip = ratio.clamp(1 - eps, 1 + eps)
    costs = _costs(logp, old, wide, mask, eps)
    rows = mask.sum(dim=1)
    means = costs.where(mask, 0.0).sum(dim=1) / rows.clamp(min=1)
    columns = mask.sum(dim=0)
    places = costs.where(mask, 0.0).sum(dim=0) / columns.clamp(min=1)

    def lost(each: Callable[[], Tensor]) -> Callable[[], Tensor]:
        return lambda: _average(each(), mask)

    return rounded(
        {
            "nothing is clipped": lost(lambda: -ratio * wide),
            "the clipped ratio is always taken: the smaller gain of the two counts": lost(lambda: -clip * wide),
            "the larger gain counts, not the smaller": lost(lambda: -torch.maximum(ratio * wide, clip * wide)),
            "the smaller ratio is taken, and then multiplied": lost(lambda: -torch.minimum(ratio, clip) * wide),
            "the sign is missing: a loss falls when the good becomes likelier": lost(lambda: -costs),
            "the ratio is upside down: it is how likely a token is now, divided by how likely it was when drawn": lost(
                lambda: _costs(-logp, -old, wide, mask, eps)
            ),
            "log-probabilities are divided: the ratio is exp of their difference": lost(
                lambda: _clipped((logp.double() / old.double()).where(mask, 1.0), wide, eps)
            ),
            "the exponential is missing: the ratio is of probabilities": lost(lambda: _clipped(apart, wide, eps)),
            "the differences of log-probabilities are clipped, not the ratio": lost(
                lambda: -torch.minimum(ratio * wide, apart.clamp(-eps, eps).exp() * wide)
            ),
            "the gain is clipped, not the ratio": lost(
                lambda: -torch.minimum(ratio * wide, (ratio * wide).clamp(1 - eps, 1 + eps))
            ),
            "the clip begins at eps, not at 1 - eps": lost(lambda: _costs(logp, old, wide, mask, eps, low=eps)),
            OWN_EPS: lost(lambda: _costs(logp, old, wide, mask, 0.2)),
            ONE_A_ROW: lost(lambda: _costs(logp, old, wide[:, :1], mask, eps)),
            ROW_MEAN: lost(lambda: _costs(logp, old, wide.mean(dim=1, keepdim=True), mask, eps)),
            COUNTED_MEAN: lost(
                lambda: _costs(
                    logp, old, wide.where(mask, 0.0).sum(dim=1, keepdim=True) / rows[:, None].clamp(min=1), mask, eps
                )
            ),
            "it is clipped above alone": lost(lambda: _costs(logp, old, wide, mask, eps, low=0.0)),
            "there is no ratio: this is the log-probability's own loss": lost(lambda: -logp.double() * wide),
            "the mask is ignored": lambda: costs.mean(),
            "the sum is divided by all places, also by those that do not count": lambda: (
                costs.where(mask, 0.0).sum() / mask.numel()
            ),
            "rows are averaged first: a short completion's tokens then weigh more": lambda: (
                means.sum() / (rows > 0).sum()
            ),
            "columns are averaged first: a place with few tokens then weighs more": lambda: (
                places.sum() / (columns > 0).sum()
            ),
            "the losses are added up, not averaged": lambda: costs.where(mask, 0.0).sum(),
            "the sum is divided by the number of rows": lambda: costs.where(mask, 0.0).sum() / len(mask),
            "the mask is read the wrong way round": lambda: _average(_costs(logp, old, wide, ~mask, eps), ~mask),
        },
        logp.dtype,
    )


def kl_estimates(logp: Tensor, reference: Tensor) -> list[Tensor]:
    """Return k1, k2 and k3, in float64."""
    d = logp.double() - reference.double()
    return [d, d.square() / 2, (-d).exp() - 1 + d]


def kl_slopes(logp: Tensor, reference: Tensor) -> list[Tensor]:
    """Return the derivatives of k1, k2 and k3 by logp, in float64."""
    d = logp.double() - reference.double()
    return [torch.ones_like(d), d, 1 - (-d).exp()]


def kl_misses(logp: Tensor, reference: Tensor) -> list[Misses]:
    """Compute what the classic mistakes make of k1, k2 and k3."""
    k1, k2, k3 = kl_estimates(logp, reference)
    back = kl_estimates(reference, logp)
    turned = "policy and reference are swapped: this is an estimate of KL(reference, policy)"
    each: list[Misses] = [
        {
            turned: lambda: back[0],
            "the sign of k1 is turned": lambda: -k1,
            "k1 has no sign: it may be below 0": lambda: k1.abs(),
            "k1 is weighed by the policy's probability: whoever draws has done that": lambda: logp.double().exp() * k1,
            "k1 is the logarithm of a ratio, not the ratio": lambda: k1.exp(),
            "k1 is the logarithm of a ratio, not the ratio of reference and policy": lambda: (-k1).exp(),
        },
        {
            "the square is not halved": lambda: 2 * k2,
            "the difference is halved before it is squared": lambda: k2 / 2,
            "the absolute difference is halved, not the square": lambda: k1.abs() / 2,
        },
        {
            turned: lambda: back[2],
            "k3 lacks its - 1": lambda: k3 + 1,
            "k3 lacks its + d": lambda: k3 - k1,
            "d is subtracted in k3, not added": lambda: k3 - 2 * k1,
            "k3 is weighed by how much likelier the policy makes the token": lambda: k1.exp() * k3,
            "k3's exponential has the wrong sign, and its d has not": lambda: k1.exp() - 1 + k1,
        },
    ]
    return [rounded(misses, logp.dtype) for misses in each]


# ── m12.5 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def credit(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    gamma: float,
    lam: float,
    *,
    decay: float | None = None,
    minus: float = 1.0,
    swapped: bool = False,
    hidden: bool = True,
    values_end: bool = True,
    advantages_end: bool = True,
    begin: Tensor | None = None,
) -> Tensor:
    """Return generalised advantages, in float64; the switches make the mistakes."""
    rewards, values = rewards.double(), values.double()
    decay = gamma * lam if decay is None else decay
    found = torch.zeros_like(values)
    next_advantage = torch.zeros(len(values), dtype=torch.float64)
    next_value = next_advantage if begin is None else begin.double()
    for place in reversed(range(values.shape[1])):
        here, value = mask[:, place], values[:, place]
        before, after = (next_value, value) if swapped else (value, next_value)
        advantage = rewards[:, place] + gamma * after - minus * before + decay * next_advantage
        found[:, place] = advantage.where(here, 0.0) if hidden else advantage
        next_value = value.where(here, 0.0) if values_end else value
        next_advantage = advantage.where(here, 0.0) if advantages_end else advantage
    return found


def credit_misses(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> Misses:
    """Compute what the classic mistakes give to each token."""

    def wrong(gamma: float = gamma, lam: float = lam, decay: float | None = None, **options: Any) -> Any:
        return lambda: credit(rewards, values, mask, gamma, lam, decay=decay, **options)

    both, right = gamma * lam, credit(rewards, values, mask, gamma, lam)
    turned = [part.flip(1) for part in (rewards, values, mask)]
    late = torch.cat([rewards[:, 1:], torch.zeros_like(rewards[:, :1])], dim=1)
    hidden = [part.where(mask, 0.0) for part in (rewards, values)]
    expected_last = torch.cat([rewards[:, :-1], values[:, -1:]], dim=1)  # no surprise, and so no advantage

    def spilled() -> Tensor:
        found = right.clone()
        for place in reversed(range(found.shape[1] - 1)):
            found[:, place] = found[:, place].where(mask[:, place], both * found[:, place + 1])
        return found

    own: Misses = {
        "behind a row's end stands the value of padding, not 0": wrong(values_end=False),
        "padding has an advantage, and hands it on to the last token": wrong(advantages_end=False),
        "value and advantage of padding are handed on to the last token": wrong(values_end=False, advantages_end=False),
        "the mask is ignored": wrong(values_end=False, advantages_end=False, hidden=False),
        "where the mask is False there are numbers, not 0": wrong(hidden=False),
        "the prompt gets some of the completion's advantages: it has 0": spilled,
        "rewards and values are hidden by the mask, and the advantages are not: the prompt has some": lambda: credit(
            hidden[0], hidden[1], torch.ones_like(mask), gamma, lam
        ),
        "the walk begins with the last column's value: after the last token there is 0": wrong(begin=values[:, -1]),
        "the walk begins before the last column, whose token has no advantage then": lambda: credit(
            expected_last, values, mask, gamma, lam
        ),
        "the last column is left out, as if its token were none": lambda: F.pad(
            credit(rewards[:, :-1], values[:, :-1], mask[:, :-1], gamma, lam), (0, 1)
        ),
        "the reward of the next token is taken for a token's own": lambda: credit(late, values, mask, gamma, lam),
        "these are the surprises alone: the next token's advantage is missing": wrong(decay=0.0),
        "the next advantage is discounted by gamma alone": wrong(decay=gamma),
        "the next advantage is discounted by lam alone": wrong(decay=lam),
        "the next advantage is not discounted": wrong(decay=1.0),
        "the next value is not discounted": wrong(gamma=1.0, decay=both),
        "the next value is missing": wrong(gamma=0.0, decay=both),
        "gamma and lam are swapped": wrong(gamma=lam, lam=gamma),
        "a token's own value and the next one's are swapped": wrong(swapped=True),
        "the value is not subtracted: these are no advantages": wrong(minus=0.0),
        "the value is added, not subtracted": wrong(minus=-1.0),
        "the sign is turned": lambda: -right,
        "the values are added back: these are returns": lambda: right + values.double().where(mask, 0.0),
        "the walk goes from the first token to the last": lambda: credit(
            turned[0], turned[1], turned[2], gamma, lam
        ).flip(1),
        "the values are ignored: these are discounted sums of rewards": lambda: credit(
            rewards, torch.zeros_like(values), mask, gamma, lam, decay=gamma
        ),
    }
    return rounded(own, values.dtype)
