"""Unusual: everything is computed in float64 and turned back, a class of losses, einsum, one place to hide padding."""

import functools

import torch
from torch import nn


def exactly(function):
    """Compute in float64, and return the dtype of the first argument, half precision as float32."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        kind = args[0].dtype if args[0].dtype in (torch.float32, torch.float64) else torch.float32
        wide = [a.double() if torch.is_tensor(a) and a.is_floating_point() else a for a in args]
        result = function(*wide, **kwargs)
        return tuple(part.to(kind) for part in result) if isinstance(result, tuple) else result.to(kind)

    return wrapped


def _quiet(values, mask):
    return values.masked_fill(~mask, 0.0)


@exactly
def token_logprobs(logits, ids):
    chosen = nn.functional.one_hot(ids[:, 1:], logits.shape[-1]).bool()
    scores = logits - logits.logsumexp(dim=2, keepdim=True)
    return scores[:, :-1].masked_fill(~chosen, 0.0).sum(dim=-1)


@exactly
def sequence_logprobs(logits, ids, mask):
    return torch.einsum("bt->b", _quiet(token_logprobs(logits, ids), mask[:, 1:]))


class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, mask):
        numbers = torch.arange(1, mask.shape[1] + 1, device=mask.device) * mask
        best, place = numbers.max(dim=1)
        for row, found in enumerate(best.tolist()):
            if not found:
                raise ValueError(f"row number {row} has no tokens")
        picked = hidden.gather(1, place[:, None, None].expand(-1, 1, hidden.shape[-1]))[:, 0]
        return self.score(picked)[:, 0]


class _Pairs:
    def __init__(self, beta):
        self.beta = beta

    @staticmethod
    def lost(lead):
        return torch.nn.functional.softplus(-lead).sum() / lead.numel()

    def lead(self, pc, pr, rc, rr):
        return self.beta * ((pc - rc.data) - (pr - rr.data))


@exactly
def reward_loss(chosen, rejected, margin=None):
    return _Pairs.lost(chosen - rejected if margin is None else chosen - rejected - margin.double())


@exactly
def implicit_rewards(policy, reference, beta):
    return torch.lerp(reference, policy, beta) - reference


@exactly
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    pairs = _Pairs(beta)
    return pairs.lost(pairs.lead(policy_chosen, policy_rejected, reference_chosen, reference_rejected))


@exactly
def ipo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths, beta
):
    a = (policy_chosen - reference_chosen.data) * chosen_lengths.double().reciprocal()
    b = (policy_rejected - reference_rejected.data) * rejected_lengths.double().reciprocal()
    return torch.dist(a - b, torch.full_like(a, 1 / beta / 2)) ** 2 / len(a)


@exactly
def group_advantages(rewards, eps=1e-4):
    n = rewards.shape[1]
    if n == 0 or n == 1:
        raise ValueError("size is " + repr(n))
    centred = rewards - torch.einsum("gs->g", rewards)[:, None] / n
    return centred / ((torch.einsum("gs,gs->g", centred, centred) / (n - 1)) ** 0.5 + eps)[:, None]


@exactly
def clipped_loss(logp, old_logp, advantages, mask, eps=0.2):
    logp, old = _quiet(logp, mask), _quiet(old_logp.data, mask)
    gains = _quiet(advantages.data.expand(mask.shape), mask)
    ratio = torch.exp(logp - old)
    costs = torch.maximum(-ratio * gains, -torch.clip(ratio, 1 - eps, 1 + eps) * gains)
    count = int(mask.sum())
    return costs.sum() if count == 0 else costs.sum() / count


@exactly
def kl_estimates(logp, reference_logp):
    ratio = (reference_logp - logp).exp()
    return -ratio.log(), ratio.log() ** 2 / 2, ratio - 1 - ratio.log()


@exactly
def gae(rewards, values, mask, gamma=1.0, lam=0.95):
    rewards, values = _quiet(rewards.data, mask), _quiet(values.data, mask)
    total, running, after = [], torch.zeros(len(values), dtype=values.dtype, device=values.device), 0.0
    for reward, value, here in zip(rewards.T.flip(0), values.T.flip(0), mask.T.flip(0), strict=True):
        running = _quiet(reward + gamma * after - value + gamma * lam * running, here)
        after = value
        total.insert(0, running)
    return torch.stack(total, dim=1)
