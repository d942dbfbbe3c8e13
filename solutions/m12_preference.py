r"""m12_preference: make a model write what people like better, and stay near what it was.

Nobody can write down what makes an answer good, but of two answers most people can say which is better. A reward model
learns that from pairs, and PPO follows it (InstructGPT); GRPO does so without a model of values, DPO without a reward
model too. Left out: asking people, and the loop that samples and trains, which the checks bring. Sources: Ouyang et al.
(2022), section 3.5; Schulman et al. (2015, 2017); Rafailov et al., Azar et al. (2023); Shao et al. (2024), section 4.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

Ids = Int64[Tensor, "batch seq"]
Logits = Float[Tensor, "batch seq vocab_size"]
Mask = Bool[Tensor, "batch seq"]
PerToken = Float[Tensor, "batch seq"]
Pairs = Float[Tensor, "pairs"]  # a number for each pair of completions


def token_logprobs(logits: Logits, ids: Ids) -> Float[Tensor, "batch seq-1"]:
    """Return the log-probability (in nats) of each token but the first, given all that stand before it.

    Logits at a position are for the next one's token: here the shift happens, so that column 0 is the second token's.
    Half-precision logits are scored in float32, others in their dtype. No argument changes.
    Example: logits [[[0, 0], [0, ln 3], [9, 9]]] with ids [[1, 0, 1]] give [[ln(1/2), ln(3/4)]].
    """
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    scores = logits[:, :-1].log_softmax(dim=-1)
    return scores.gather(-1, ids[:, 1:, None]).squeeze(-1)


def sequence_logprobs(logits: Logits, ids: Ids, mask: Mask) -> Float[Tensor, "batch"]:
    """Add up the log-probabilities of each row's tokens where mask is True: those of its completion.

    `mask` stands under the ids; its first column counts for nothing, since no logits come before it. What does not
    count has no effect, not even a token that was impossible (-inf). A row of which nothing counts has 0. Nothing
    given changes here. Example: the logits and ids above with a mask of [[True, False, True]] give [ln(3/4)].
    """
    found = token_logprobs(logits, ids)
    # Pitfall: found * mask is NaN where a token of the prompt had -inf. The mask loses a column as the ids did.
    return torch.where(mask[:, 1:], found, 0.0).sum(dim=1)


class RewardHead(nn.Module):
    """The last layer of a reward model. `score`, an nn.Linear from d_model to 1 without bias, is its only state."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden: Float[Tensor, "batch seq d_model"], mask: Mask) -> Float[Tensor, "batch"]:
        """Score each row where mask is True for the last time: padding may be on any side.

        Example: with a weight of [[2]] rows [[1], [2], [3]], [[4], [5], [6]] and masks [True, True, False],
        [False, True, True] give [4, 12]. Raises ValueError, naming the row (the first is 0), when all of it is padding.
        """
        last = (torch.arange(mask.shape[1], device=mask.device) * mask).argmax(dim=1)
        if not bool(mask.any(dim=1).all()):
            raise ValueError(f"row {int(mask.any(dim=1).int().argmin())} is nothing but padding")
        # Only then the layer: every position's score would be computed for one that is kept.
        return self.score(hidden[torch.arange(len(hidden)), last]).squeeze(-1)


def reward_loss(chosen: Pairs, rejected: Pairs, margin: Pairs | None = None) -> Float[Tensor, ""]:
    """Average -ln sigmoid(chosen - rejected - margin) over all pairs, exactly however far apart they are.

    Without a margin it is 0. Example: rewards of 2 and 1 cost ln(1 + 1/e) = 0.3133, with a margin of 1 ln 2.
    """
    ahead = chosen - rejected
    if margin is not None:
        ahead = ahead - margin
    # Pitfall: the sigmoid of -120 is 0 in float32, and its logarithm -inf.
    return -F.logsigmoid(ahead).mean()


def implicit_rewards(policy: Pairs, reference: Pairs, beta: float) -> Pairs:
    """Return the rewards that a policy acts by: beta times its log-probabilities less the reference's.

    Both are sums over whole completions. Example: ln(1/2) and ln(1/4) with beta 0.5 give ln(2) / 2 = 0.3466.
    """
    return beta * (policy - reference)


def dpo_loss(
    policy_chosen: Pairs, policy_rejected: Pairs, reference_chosen: Pairs, reference_rejected: Pairs, beta: float
) -> Float[Tensor, ""]:
    """Average -ln sigmoid(implicit reward of the chosen less that of the rejected) over all pairs, exactly as above.

    The reference is not trained: no gradient arrives at its log-probabilities.
    Example: a policy's ln(1/2) and ln(1/4), twice the reference's ln(1/4), and beta 1 cost ln(3/2) = 0.4055.
    """
    chosen = implicit_rewards(policy_chosen, reference_chosen.detach(), beta)
    return reward_loss(chosen, implicit_rewards(policy_rejected, reference_rejected.detach(), beta))


def ipo_loss(
    policy_chosen: Pairs, policy_rejected: Pairs, reference_chosen: Pairs, reference_rejected: Pairs,
    chosen_lengths: Int64[Tensor, "pairs"], rejected_lengths: Int64[Tensor, "pairs"], beta: float,
) -> Float[Tensor, ""]:  # fmt: skip
    """Average (chosen - rejected - 1 / (2 beta))² over all pairs: a distance to reach, not to grow for ever.

    Each of the two is the policy's log-probability less the reference's, divided by how many tokens it sums. No
    gradient arrives at the reference here either. Example: the numbers above with lengths 2 and 1 and beta 1 cost
    (ln(2) / 2 - 1/2)² = 0.0235.
    """
    chosen = (policy_chosen - reference_chosen.detach()) / chosen_lengths
    rejected = (policy_rejected - reference_rejected.detach()) / rejected_lengths
    return (chosen - rejected - 1 / (2 * beta)).square().mean()


def group_advantages(rewards: Float[Tensor, "groups size"], eps: float = 1e-4) -> Float[Tensor, "groups size"]:
    """Return how many standard deviations each reward lies above the mean of its group: its row.

    The deviation's divisor is size - 1, and eps is added to it, so that equal rewards have advantages of 0.
    Nothing given changes. Example: rewards [[1, 2, 3]] with eps 0 give [[-1, 0, 1]]. Raises ValueError, naming the
    size, when it is below 2.
    """
    if rewards.shape[1] < 2:
        raise ValueError(f"a group has two rewards or more, to compare them; not {rewards.shape[1]}")
    spread = rewards.std(dim=1, keepdim=True)
    return (rewards - rewards.mean(dim=1, keepdim=True)) / (spread + eps)


def clipped_loss(
    logp: PerToken, old_logp: PerToken, advantages: Float[Tensor, "batch #seq"], mask: Mask, eps: float = 0.2
) -> Float[Tensor, ""]:
    """Average PPO's -min(ratio * advantage, clip(ratio, 1 - eps, 1 + eps) * advantage) over the tokens that count.

    ratio is exp(logp - old_logp). Advantages are one for each token, or one ("batch 1") for all tokens of a row. They
    and old_logp are constants: no gradient arrives there. All tokens of the batch where mask is True weigh alike; the
    others have no effect, even where both log-probabilities are -inf. When none counts the loss is 0, and its gradient
    0 everywhere. Nothing given changes. Example: a ratio of 2 with eps 0.2 costs -1.2 with an advantage of 1, and 2
    with one of -1.
    """
    advantages = advantages.detach()
    # Pitfall: a gradient through exp(NaN) is NaN, even where the loss is masked afterwards. So hide it before.
    ratio = torch.where(mask, logp - old_logp.detach(), 0.0).exp()
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - eps, 1 + eps) * advantages)
    return -torch.where(mask, gain, 0.0).sum() / mask.sum().clamp(min=1)


def kl_estimates(logp: PerToken, reference_logp: PerToken) -> tuple[PerToken, PerToken, PerToken]:
    """Return k1, k2 and k3 of each token: what it, drawn from a policy, says of KL(policy, reference).

    With d = logp - reference_logp these are d, d² / 2 and exp(-d) - 1 + d. Their gradients by logp pull a policy back.
    Example: ln(1/2) and ln(1/4) give ln 2 = 0.6931, 0.2402 and ln(2) - 1/2 = 0.1931.
    """
    d = logp - reference_logp
    return d, d.square() / 2, (-d).exp() - 1 + d


def gae(rewards: PerToken, values: PerToken, mask: Mask, gamma: float = 1.0, lam: float = 0.95) -> PerToken:
    """Return advantages: each token's surprise, and gamma * lam times the advantage of the next token.

    A surprise is reward + gamma * next value - value. The tokens of a row that count (mask) stand side by side; after
    the last of them value and advantage are 0. Elsewhere the result is 0, whatever finite numbers stand there. The
    result is a constant: no gradient goes back from it. Nothing given changes. Example: rewards [[0, 0, 1, -0.5]],
    values [[0.2, 0.4, 0.1, 0.3]], all of which count, gamma 0.9 and lam 0.8 give [[0.2447, 0.1177, 0.594, -0.8]].
    """
    advantages = torch.zeros_like(values)
    with torch.no_grad():
        next_value = next_advantage = torch.zeros_like(values[:, 0])
        for place in reversed(range(values.shape[1])):  # an advantage needs the one after it
            surprise = rewards[:, place] + gamma * next_value - values[:, place]
            advantages[:, place] = mask[:, place] * (surprise + gamma * lam * next_advantage)
            # Pitfall: behind a row's end stand values of padding, which belong to nobody.
            next_value, next_advantage = mask[:, place] * values[:, place], advantages[:, place]
    return advantages
