"""Unusual: loops over rows, pairs and groups, no type hints, tokens that count picked out by their mask."""

import torch
from torch import nn


def token_logprobs(logits, ids):
    work = logits if logits.dtype == torch.float64 else logits.to(torch.float32)
    rows = []
    for scores, row in zip(work, ids, strict=True):
        scores, row = scores[:-1], row[1:]
        rows.append(scores[torch.arange(len(row), device=row.device), row] - torch.logsumexp(scores, 1))
    return torch.stack(rows)


def sequence_logprobs(logits, ids, mask):
    each = token_logprobs(logits, ids)
    return torch.stack([row[real[1:]].sum() for row, real in zip(each, mask, strict=True)])


class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, mask):
        rewards = []
        for number, (vectors, real) in enumerate(zip(hidden, mask, strict=True)):
            places = real.nonzero()
            if len(places) == 0:
                raise ValueError("nothing to score in row %d" % number)
            rewards.append(self.score(vectors[places[-1, 0]])[0])
        return torch.stack(rewards)


def reward_loss(chosen, rejected, margin=None):
    losses = []
    for n in range(len(chosen)):
        lead = chosen[n] - rejected[n] - (0 if margin is None else margin[n])
        losses.append(torch.log1p(torch.exp(-lead.abs())) - torch.clamp(lead, max=0))
    return sum(losses) / len(losses)


def implicit_rewards(policy, reference, beta):
    return policy * beta - reference * beta


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    with torch.no_grad():
        known = reference_chosen - reference_rejected
    return reward_loss(beta * (policy_chosen - policy_rejected), beta * known)


def ipo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths, beta
):
    total = 0
    for pc, pr, rc, rr, nc, nr in zip(
        policy_chosen,
        policy_rejected,
        reference_chosen,
        reference_rejected,
        chosen_lengths,
        rejected_lengths,
        strict=True,
    ):
        total = total + ((pc - float(rc)) / int(nc) - (pr - float(rr)) / int(nr) - 0.5 / beta) ** 2
    return total / len(policy_chosen)


def group_advantages(rewards, eps=1e-4):
    groups, size = rewards.shape
    if size <= 1:
        raise ValueError("groups of size " + str(size) + " can't be compared")
    out = torch.empty_like(rewards)
    for g in range(groups):
        mean = rewards[g].sum() / size
        variance = ((rewards[g] - mean) ** 2).sum() / (size - 1)
        out[g] = (rewards[g] - mean) / (variance.sqrt() + eps)
    return out


def clipped_loss(logp, old_logp, advantages, mask, eps=0.2):
    advantages = advantages.expand(logp.shape)
    total, count = logp.new_zeros(()), 0
    for b, t in enumerate(mask):
        ratio = torch.exp(logp[b, t] - old_logp[b, t].detach())
        gain = advantages[b, t].detach()
        total = total - torch.min(ratio * gain, torch.clamp(ratio, 1 - eps, 1 + eps) * gain).sum()
        count += len(gain)
    return total / count if count else total


def kl_estimates(logp, reference_logp):
    difference = logp - reference_logp
    return difference, 0.5 * difference**2, torch.exp(-difference) - 1 + difference


@torch.no_grad()
def gae(rewards, values, mask, gamma=1.0, lam=0.95):
    out = torch.zeros(values.shape, dtype=values.dtype, device=values.device)
    for b in range(len(values)):
        places = mask[b].nonzero().flatten().tolist()
        later = 0.0
        for n, t in reversed(list(enumerate(places))):
            next_value = values[b, places[n + 1]] if n + 1 < len(places) else 0.0
            later = rewards[b, t] + gamma * next_value - values[b, t] + gamma * lam * later
            out[b, t] = later
    return out
