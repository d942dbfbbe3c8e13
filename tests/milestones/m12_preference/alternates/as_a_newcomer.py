"""Unusual: written from stub and guide alone, step by step, shapes in comments, everything named before it is used."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def token_logprobs(logits, ids):
    if logits.dtype == torch.float16 or logits.dtype == torch.bfloat16:
        logits = logits.to(torch.float32)
    all_logprobs = torch.log_softmax(logits, dim=2)  # batch seq vocab_size
    speaking = all_logprobs[:, :-1, :]  # nobody is spoken about by the last one
    spoken_about = ids[:, 1:].unsqueeze(2)  # batch seq-1 1
    picked = torch.gather(speaking, dim=2, index=spoken_about)
    return picked[:, :, 0]


def sequence_logprobs(logits, ids, mask):
    logprobs = token_logprobs(logits, ids)
    counts = mask[:, 1:]
    logprobs = logprobs.masked_fill(counts.logical_not(), 0)
    return logprobs.sum(1)


class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(in_features=d_model, out_features=1, bias=False)

    def forward(self, hidden, mask):
        batch, seq, _ = hidden.shape
        for row in range(batch):
            if mask[row].sum() == 0:
                raise ValueError(f"Row {row} has no real token!")
        scores = self.score(hidden).squeeze(2)  # batch seq
        # the last True is the first one from behind
        from_behind = torch.flip(mask, [1]).int().argmax(dim=1)
        last = seq - 1 - from_behind
        return torch.gather(scores, 1, last.unsqueeze(1)).squeeze(1)


def reward_loss(chosen, rejected, margin=None):
    if margin is None:
        margin = torch.zeros_like(chosen)
    differences = chosen - rejected - margin
    return torch.mean(-F.logsigmoid(differences))


def implicit_rewards(policy, reference, beta):
    log_ratio = policy - reference
    return beta * log_ratio


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    reference_chosen = reference_chosen.detach()
    reference_rejected = reference_rejected.detach()
    reward_chosen = implicit_rewards(policy_chosen, reference_chosen, beta)
    reward_rejected = implicit_rewards(policy_rejected, reference_rejected, beta)
    return reward_loss(reward_chosen, reward_rejected)


def ipo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths, beta
):
    reference_chosen = reference_chosen.detach()
    reference_rejected = reference_rejected.detach()
    chosen_per_token = (policy_chosen - reference_chosen) / chosen_lengths
    rejected_per_token = (policy_rejected - reference_rejected) / rejected_lengths
    target = 1 / (2 * beta)
    distance = (chosen_per_token - rejected_per_token) - target
    return torch.mean(distance**2)


def group_advantages(rewards, eps=1e-4):
    size = rewards.shape[1]
    if size < 2:
        raise ValueError(f"The group size must be at least 2, got {size}")
    means = rewards.mean(dim=1).unsqueeze(1)
    deviations = torch.std(rewards, dim=1, unbiased=True).unsqueeze(1)
    return (rewards - means) / (deviations + eps)


def clipped_loss(logp, old_logp, advantages, mask, eps=0.2):
    old_logp = old_logp.detach()
    advantages = advantages.detach()
    hidden = ~mask
    logp = logp.masked_fill(hidden, 0.0)
    old_logp = old_logp.masked_fill(hidden, 0.0)
    ratio = torch.exp(logp - old_logp)
    clipped_ratio = torch.clamp(ratio, min=1 - eps, max=1 + eps)
    objective = torch.min(ratio * advantages, clipped_ratio * advantages)
    objective = objective.masked_fill(hidden, 0.0)
    how_many = mask.sum()
    if how_many == 0:
        return objective.sum()
    return -objective.sum() / how_many


def kl_estimates(logp, reference_logp):
    r = reference_logp - logp
    k1 = -r
    k2 = r**2 / 2
    k3 = torch.exp(r) - 1 - r
    return k1, k2, k3


def gae(rewards, values, mask, gamma=1.0, lam=0.95):
    rewards, values = rewards.detach(), values.detach()
    batch, seq = rewards.shape
    result = torch.zeros_like(rewards)
    for row in range(batch):
        next_value = 0.0
        next_advantage = 0.0
        for t in range(seq - 1, -1, -1):
            if not mask[row, t]:
                continue
            delta = rewards[row, t] + gamma * next_value - values[row, t]
            advantage = delta + gamma * lam * next_advantage
            result[row, t] = advantage
            next_value = values[row, t]
            next_advantage = advantage
    return result
