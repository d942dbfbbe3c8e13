"""The reference for m12_preference's log-probabilities, pairs and rewards, and what classic mistakes make of them."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Misses = dict[str, Any]  # a value, or what computes it

MASK_LATE = "the mask is not shifted: it stands under the ids, whose first column has no log-probability"
UNDERFLOW = "exp overflows, or a sigmoid has become 0 before its logarithm is taken: logsigmoid does both in one step"
NO_CHOSEN_REFERENCE = "the reference of the chosen completion is missing: each of the two has its own"
NO_REJECTED_REFERENCE = "the reference of the rejected completion is missing: each of the two has its own"
SQUEEZED = "squeeze() without an axis also drops the batch of one: name the axis"
COUNTED = "the number of real tokens is taken for the last one's place, which holds only for padding on the right"


def rounded(misses: Misses, dtype: torch.dtype) -> Misses:
    """Give the mistakes the dtype of what is expected."""

    def give(make: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: make().to(dtype)

    return {words: give(make) for words, make in misses.items()}


def slopes(function: Callable[..., Tensor], *given: Tensor) -> list[Tensor]:
    """Return the gradient of a function in float64 by each of these, in its own dtype."""
    leaves = [value.double().requires_grad_(True) for value in given]
    return [
        slope.to(value.dtype)
        for slope, value in zip(torch.autograd.grad(function(*leaves), leaves), given, strict=True)
    ]


def kept(dtype: torch.dtype) -> torch.dtype:
    """Return the dtype in which logits are scored."""
    return torch.float64 if dtype == torch.float64 else torch.float32


# ── m12.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def token_logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """Return each token's log-probability but the first one's, in float64."""
    return _picked(logits[:, :-1].double().log_softmax(dim=-1), ids[:, 1:])


def _picked(scores: Tensor, ids: Tensor) -> Tensor:
    return scores.gather(-1, ids[..., None])[..., 0]


def token_misses(logits: Tensor, ids: Tensor) -> Misses:
    """Compute what the classic mistakes give for each token."""
    scores = logits.double().log_softmax(dim=-1)
    right, before, after = token_logprobs(logits, ids), logits[:, :-1].double(), ids[:, 1:]
    return rounded(
        {
            "nothing is shifted: logits at a position are for the next one's token": lambda: _picked(scores, ids)[
                :, 1:
            ],
            "nothing is shifted, and the last token is left out": lambda: _picked(scores, ids)[:, :-1],
            "nothing is shifted, and the first token is scored too": lambda: _picked(scores, ids),
            "the first token keeps a column of its own: nobody has guessed it": lambda: F.pad(right, (1, 0)),
            "what comes after the last token keeps a column: there is no token": lambda: F.pad(right, (0, 1)),
            "it is shifted the wrong way: logits at a position are for the next one's token": lambda: _picked(
                scores[:, 1:], ids[:, :-1]
            ),
            "the softmax is missing: these are the logits": lambda: _picked(before, after),
            "the logarithm is missing: these are probabilities": lambda: right.exp(),
            "the sign is turned: these are costs": lambda: -right,
            "the log-probabilities are in bits, not in nats": lambda: right / math.log(2),
            "the softmax runs over the positions instead of the vocabulary": lambda: _picked(
                before.log_softmax(dim=1), after
            ),
            "the softmax runs over the batch instead of the vocabulary": lambda: _picked(
                before.log_softmax(dim=0), after
            ),
            "the softmax is taken twice": lambda: _picked(before.softmax(dim=-1).log_softmax(dim=-1), after),
            SQUEEZED: right.squeeze,
        },
        kept(logits.dtype),
    )


def sequence_logprobs(logits: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """Return each completion's log-probability, in float64."""
    return token_logprobs(logits, ids).where(mask[:, 1:], 0.0).sum(dim=1)


def _from_the_first(mask: Tensor) -> Tensor:
    return mask.int().cummax(dim=1).values.bool()


def sequence_misses(logits: Tensor, ids: Tensor, mask: Tensor) -> Misses:
    """Compute what the classic mistakes add up."""
    each, counts = token_logprobs(logits, ids), mask[:, 1:]
    right = each.where(counts, 0.0)

    def without(place: int) -> Callable[[], Tensor]:
        left = counts.clone()
        for row in left:
            if bool(row.any()):
                row[row.nonzero()[place]] = False
        return lambda: each.where(left, 0.0).sum(dim=1)

    begun, unfinished = _from_the_first(mask)[:, 1:], _from_the_first(mask.flip(1)).flip(1)[:, 1:]
    own: Misses = {
        MASK_LATE: lambda: each.where(mask[:, :-1], 0.0).sum(dim=1),
        "the prompt is added up too": lambda: each.where(unfinished, 0.0).sum(dim=1),
        "the padding is added up too": lambda: each.where(begun, 0.0).sum(dim=1),
        "everything is added up: the mask is ignored": lambda: each.sum(dim=1),
        "the mask is read the wrong way round": lambda: each.where(~counts, 0.0).sum(dim=1),
        "the log-probabilities are averaged, not added up": lambda: right.sum(dim=1) / counts.sum(dim=1).clamp(min=1),
        "the log-probabilities are averaged over all places": lambda: right.mean(dim=1),
        "the last token that counts is left out": without(-1),
        "the first token that counts is left out": without(0),
        "all rows are added up together": lambda: right.sum(),
        "rows and columns are swapped: each column is added up": lambda: right.sum(dim=0),
        "the logarithm is missing: this is a probability": lambda: right.sum(dim=1).exp(),
        "the sign is turned: this is a cost": lambda: -right.sum(dim=1),
        "probabilities are added up, not their logarithms": lambda: each.exp().where(counts, 0.0).sum(dim=1),
    }
    return rounded(own, kept(logits.dtype))


# ── m12.2 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def last_places(mask: Tensor) -> Tensor:
    """Return where each row of a mask is True for the last time."""
    return torch.tensor([max(place for place, real in enumerate(row) if real) for row in mask.tolist()])


def text_rewards(hidden: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Return the reward of each row, in hidden's dtype."""
    return _scores(hidden, weight)[torch.arange(len(hidden)), last_places(mask)].to(hidden.dtype)


def _scores(hidden: Tensor, weight: Tensor) -> Tensor:
    return (hidden.double() @ weight.double().T)[..., 0]


def head_misses(hidden: Tensor, mask: Tensor, weight: Tensor) -> Misses:
    """Compute what the classic mistakes give to whole texts."""
    scores, counts, rows = _scores(hidden, weight), mask.sum(dim=1), torch.arange(len(hidden))
    first = mask.int().argmax(dim=1)
    right = scores[rows, last_places(mask)]
    last = mask.shape[1] - 1
    return rounded(
        {
            "the last column is read, padding or not": lambda: scores[:, -1],
            COUNTED: lambda: scores[rows, counts - 1],
            "the number of tokens is taken for the last one's place, which is one less": lambda: scores[
                rows, counts.clamp(max=last)
            ],
            "the first position is read, which has seen nothing but itself": lambda: scores[:, 0],
            "the first real token is read, which has seen nothing but itself": lambda: scores[rows, first],
            "the first padding is read": lambda: scores[rows, mask.int().argmin(dim=1)],
            "the token before the last real one is read": lambda: scores[rows, (last_places(mask) - 1).clamp(min=0)],
            "the real tokens' scores are averaged": lambda: scores.where(mask, 0.0).sum(dim=1) / counts,
            "the real tokens' scores are added up": lambda: scores.where(mask, 0.0).sum(dim=1),
            "all positions are averaged, padding too": lambda: scores.mean(dim=1),
            "every position is scored; a text has one reward": lambda: scores,
            "an axis of length 1 is left behind the rewards": lambda: right[:, None],
            SQUEEZED: right.squeeze,
            "a sigmoid is taken of the reward: the loss does that by itself": lambda: right.sigmoid(),
        },
        hidden.dtype,
    )


def reward_loss(chosen: Tensor, rejected: Tensor, margin: Tensor | None = None) -> Tensor:
    """Return the average loss of pairs, in float64."""
    return -F.logsigmoid(_ahead(chosen, rejected, margin)).mean()


def _ahead(chosen: Tensor, rejected: Tensor, margin: Tensor | None) -> Tensor:
    return chosen.double() - rejected.double() - (0.0 if margin is None else margin.double())


def reward_misses(chosen: Tensor, rejected: Tensor, margin: Tensor | None = None) -> Misses:
    """Compute what the classic mistakes make of pairs of rewards."""
    away, bare = _ahead(chosen, rejected, margin), _ahead(chosen, rejected, None)
    added = bare if margin is None else bare + margin.double()
    misses: Misses = {
        "the margin is ignored": lambda: -F.logsigmoid(bare).mean(),
        "the margin is added: it must be subtracted from the winner's lead": lambda: -F.logsigmoid(added).mean(),
        "the margin is added to the loss, not taken from the winner's lead": lambda: (
            -F.logsigmoid(bare).mean() + (0.0 if margin is None else margin.double().mean())
        ),
    }
    return rounded({**(misses if margin is not None else {}), **loss_misses(away, chosen.dtype)}, chosen.dtype)


def loss_misses(away: Tensor, dtype: torch.dtype) -> Misses:
    """Compute what the classic mistakes make of differences of rewards, in float64; `dtype` is the rewards' own."""
    return {
        "chosen and rejected are swapped": lambda: -F.logsigmoid(-away).mean(),
        "the sign is missing: a loss falls when the chosen one leads": lambda: F.logsigmoid(away).mean(),
        "the logarithm is missing: this is a sigmoid": lambda: -away.sigmoid().mean(),
        "the logarithm is missing: this is one minus a sigmoid": lambda: (1 - away.sigmoid()).mean(),
        "the sigmoid is missing: this is the difference alone": lambda: -away.mean(),
        "the losses are added up, not averaged": lambda: -F.logsigmoid(away).sum(),
        "the losses are not averaged": lambda: -F.logsigmoid(away),
        "differences are averaged before the sigmoid, not losses after it": lambda: -F.logsigmoid(away.mean()),
        "the loss is in bits, not in nats": lambda: -F.logsigmoid(away).mean() / math.log(2),
        "the square of the difference stands for the sigmoid's logarithm": lambda: away.square().mean(),
        "this is a hinge, which is 0 for whatever is far enough ahead": lambda: (1 - away).clamp(min=0).mean(),
        UNDERFLOW: lambda: -away.to(dtype).sigmoid().log().mean(),
    }


# ── m12.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def implicit_misses(policy: Tensor, reference: Tensor, beta: float) -> Misses:
    """Compute what the classic mistakes take for the policy's rewards."""
    policy, reference, dtype = policy.double(), reference.double(), policy.dtype
    return rounded(
        {
            "beta is missing": lambda: policy - reference,
            "it is divided by beta, not multiplied": lambda: (policy - reference) / beta,
            "the reference is missing": lambda: beta * policy,
            "policy and reference are swapped": lambda: beta * (reference - policy),
            "the reference is added, not subtracted": lambda: beta * (policy + reference),
            "probabilities are subtracted, not their logarithms": lambda: beta * (policy.exp() - reference.exp()),
            "the logarithm is missing: this is the ratio of two probabilities": lambda: (
                beta * (policy - reference).exp()
            ),
            "beta is taken of the policy's alone": lambda: beta * policy - reference,
            "log-probabilities are divided, not subtracted": lambda: beta * policy / reference,
        },
        dtype,
    )


def dpo_loss(four: list[Tensor], beta: float) -> Tensor:
    """Return DPO's loss in float64: of the policy's chosen and rejected, then of the reference's."""
    chosen, rejected, ref_chosen, ref_rejected = (value.double() for value in four)
    return reward_loss(beta * (chosen - ref_chosen), beta * (rejected - ref_rejected))


def dpo_misses(given: list[Tensor], beta: float) -> Misses:
    """Compute what the classic mistakes make of four log-probabilities of each pair."""
    four = [value.double() for value in given]
    policy, reference = four[0] - four[1], four[2] - four[3]
    away = beta * (policy - reference)

    def lost(distance: Tensor) -> Callable[[], Tensor]:
        return lambda: -F.logsigmoid(distance).mean()

    misses = {
        "the reference is missing": lost(beta * policy),
        "the reference is added, not subtracted": lost(beta * (policy + reference)),
        "the references are crossed: the chosen one's belongs to the chosen": lost(beta * (policy + reference)),
        "policy and reference are swapped": lost(-away),
        "beta is missing": lost(policy - reference),
        "beta is multiplied outside of the sigmoid, not inside": lambda: beta * lost(policy - reference)(),
        "it is divided by beta, not multiplied": lost((policy - reference) / beta),
        "beta is taken of the policy's alone": lost(beta * policy - reference),
        NO_CHOSEN_REFERENCE: lost(beta * (policy + four[3])),
        NO_REJECTED_REFERENCE: lost(beta * (policy - four[2])),
        "log-probabilities are divided, not subtracted": lost(beta * (four[0] / four[2] - four[1] / four[3])),
        "the rejected completion is missing": lost(beta * (four[0] - four[2])),
        "the chosen completion is missing": lost(-beta * (four[1] - four[3])),
        "probabilities stand in the place of log-probabilities": lost(
            beta * (four[0].exp() - four[2].exp() - four[1].exp() + four[3].exp())
        ),
    }
    return rounded(misses | loss_misses(away, given[0].dtype), given[0].dtype)


def ipo_loss(four: list[Tensor], lengths: list[Tensor], beta: float) -> Tensor:
    """Return IPO's loss, in float64."""
    return (_means(four, lengths) - 1 / (2 * beta)).square().mean()


def _means(four: list[Tensor], lengths: list[Tensor]) -> Tensor:
    chosen, rejected, ref_chosen, ref_rejected = (value.double() for value in four)
    return (chosen - ref_chosen) / lengths[0] - (rejected - ref_rejected) / lengths[1]


def ipo_misses(four: list[Tensor], lengths: list[Tensor], beta: float) -> Misses:
    """Compute what the classic mistakes make of four log-probabilities of each pair, and two lengths."""
    away, ones = _means(four, lengths), [torch.ones_like(length) for length in lengths]
    chosen, rejected, ref_chosen, ref_rejected = (value.double() for value in four)
    nothing = torch.zeros_like(chosen)
    swapped = [
        "the lengths are swapped",
        "both are divided by the chosen one's length",
        "both are divided by the rejected one's length",
        "the chosen one's sum is not divided by its length",
        "the rejected one's sum is not divided by its length",
    ]

    def lost(distance: Tensor, target: float = 1 / (2 * beta)) -> Callable[[], Tensor]:
        return lambda: (distance - target).square().mean()

    others = [
        [lengths[1], lengths[0]],
        [lengths[0]] * 2,
        [lengths[1]] * 2,
        [ones[0], lengths[1]],
        [lengths[0], ones[1]],
    ]
    return rounded(
        {
            "the lengths are ignored": lost(_means(four, ones)),
            **{words: lost(_means(four, other)) for words, other in zip(swapped, others, strict=True)},
            "both are divided by the sum of the lengths": lost(_means(four, [lengths[0] + lengths[1]] * 2)),
            "it is multiplied by the lengths, not divided": lost(_means(four, [1 / length for length in lengths])),
            "the difference should reach 1 / (2 beta), not 1 / beta": lost(away, 1 / beta),
            "the difference should reach 1 / (2 beta), not beta / 2": lost(away, beta / 2),
            "the difference should reach 1 / (2 beta), not 1/2": lost(away, 0.5),
            "the difference should reach 1 / (2 beta), not 0": lost(away, 0.0),
            "1 / (2 beta) is added, not subtracted": lost(away, -1 / (2 * beta)),
            "beta is multiplied to the difference too": lost(beta * away),
            "the reference is missing": lost(_means([chosen, rejected, nothing, nothing], lengths)),
            NO_CHOSEN_REFERENCE: lost(_means([chosen, rejected, nothing, ref_rejected], lengths)),
            NO_REJECTED_REFERENCE: lost(_means([chosen, rejected, ref_chosen, nothing], lengths)),
            "the policy's sums are divided by their lengths, and the reference's are not": lost(
                _means([chosen, rejected, nothing, nothing], lengths) - ref_chosen + ref_rejected
            ),
            "the reference is added, not subtracted": lost(
                _means([chosen, rejected, -ref_chosen, -ref_rejected], lengths)
            ),
            "chosen and rejected are swapped": lost(-away),
            "the squares are added up, not averaged": lambda: (away - 1 / (2 * beta)).square().sum(),
            "the square is missing: this is a distance": lambda: (away - 1 / (2 * beta)).abs().mean(),
            "the square is missing": lambda: (away - 1 / (2 * beta)).mean(),
            "differences are averaged before they are squared": lambda: (away.mean() - 1 / (2 * beta)).square(),
            "this is DPO's loss: IPO squares a distance": lambda: -F.logsigmoid(beta * _means(four, ones)).mean(),
        },
        four[0].dtype,
    )
