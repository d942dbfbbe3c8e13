"""Unusual: cross-entropies for log-probabilities, boolean indexing, softplus, matrices in the place of a walk back."""

import torch
import torch.nn.functional as F
from torch import nn


def token_logprobs(logits, ids):
    if logits.dtype.itemsize == 2:
        logits = logits.float()
    vocab = logits.shape[-1]
    costs = F.cross_entropy(logits[:, :-1].reshape(-1, vocab), ids[:, 1:].reshape(-1), reduction="none")
    return -costs.view(ids.shape[0], -1)


def sequence_logprobs(logits, ids, mask):
    labels = ids.masked_fill(~mask, -100)[:, 1:]
    if logits.dtype in {torch.half, torch.bfloat16}:
        logits = logits.to(torch.float)
    costs = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels, ignore_index=-100, reduction="none")
    return costs.sum(-1).neg()


class RewardHead(nn.Module):
    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.add_module("score", nn.Linear(d_model, 1, bias=False))

    def forward(self, hidden, mask):
        later = mask.flip(1).cumsum(1).flip(1)
        last = mask & (later == 1)
        if bool((last.sum(1) == 0).any()):
            raise ValueError(f"no token in row {(last.sum(1) == 0).nonzero()[0].item()}")
        return (hidden[last] @ self.score.weight.t()).flatten()


def reward_loss(chosen, rejected, margin=None):
    behind = rejected - chosen
    return F.softplus(behind if margin is None else behind + margin).mean()


def implicit_rewards(policy, reference, beta):
    return (policy - reference).mul(beta)


def _leads(pc, pr, rc, rr):
    return pc - pr, (rc - rr).detach()


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    policy, reference = _leads(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    logits = beta * (policy - reference)
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def ipo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths, beta
):
    policy, reference = _leads(
        policy_chosen / chosen_lengths,
        policy_rejected / rejected_lengths,
        reference_chosen / chosen_lengths,
        reference_rejected / rejected_lengths,
    )
    return F.mse_loss(policy - reference, torch.full_like(policy, 0.5 / beta))


def group_advantages(rewards, eps=1e-4):
    if rewards.size(-1) < 2:
        raise ValueError(f"size {rewards.size(-1)} is too small")
    variance, mean = torch.var_mean(rewards, dim=-1, keepdim=True)
    return (rewards - mean).div(variance.sqrt().add(eps))


def clipped_loss(logp, old_logp, advantages, mask, eps=0.2):
    gains = advantages.detach().expand_as(logp)[mask]
    ratio = (logp[mask] - old_logp[mask].detach()).exp()
    bounded = torch.where(gains > 0, ratio.clamp(max=1 + eps), ratio.clamp(min=1 - eps))
    return -(bounded * gains).sum() / max(len(gains), 1)


def kl_estimates(logp, reference_logp):
    r = reference_logp - logp
    return r.neg(), r.pow(2).div(2), torch.expm1(r) - r


def gae(rewards, values, mask, gamma=1.0, lam=0.95):
    with torch.no_grad():
        real = torch.where(mask, values, 0)
        after = torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], dim=1)
        surprise = torch.where(mask, rewards + gamma * after - values, 0)
        places = torch.arange(values.shape[1], device=values.device)
        steps = places[None, :] - places[:, None]
        weights = torch.where(steps >= 0, (gamma * lam) ** steps.clamp(min=0).to(values.dtype), 0)
        return torch.where(mask, surprise @ weights.T.to(values.dtype), 0)
