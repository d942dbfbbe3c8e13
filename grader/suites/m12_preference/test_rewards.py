"""m12_preference: what is made of rewards: advantages, a clipped loss, the distance kept, and credit for each token."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_bound,
    expect_close,
    expect_one_device,
    expect_raises,
    expect_tensor,
    expect_unchanged,
)
from grader.judge.probes import model

from . import oracle, oracle_rewards, probes
from .oracle_learning import Rounds
from .steps import stretches

CUT = "the graph is cut: detach(), .item() or no_grad stands on the way"
DEVICE = "something is made on the default device instead of where the arguments are"
DIVIDED = "0 is divided by 0: the mean of no numbers is not a number"
HIDDEN_LATE = (
    "the mask comes after exp: a gradient through what is not a number is none either; mask the difference first"
)
LOOSE = "the graph is cut: nothing then pulls the policy back to its reference"
CONSTANTS = "a gradient arrives at what was fixed when the tokens were drawn: detach it"
GRAPH = "advantages are still tied to the values' graph: a policy's loss would then train the values"
THREE = "the three estimates are returned together, as one tuple: k1, k2, k3"
PRECISIONS = ((torch.float32, FLOAT32_LAYER), (torch.float64, FLOAT64))
DEFAULT = 1e-4


@pytest.mark.task("m12.4")
@pytest.mark.holds("Return how many standard deviations each reward lies above the mean of its group: its row.")
def test_a_reward_is_compared_with_its_group(student, draw):
    """Each row is compared with its own mean and its own deviation, however good or varied the other rows are."""
    for dtype, atol in PRECISIONS:
        shift, width = draw.normal(4, 1, scale=3.0, dtype=dtype), draw.normal(4, 1, dtype=dtype).abs() + 0.5
        rewards = shift + width * draw.normal(4, 3, dtype=dtype)
        for eps in (DEFAULT, 0.5):
            expected = oracle_rewards.advantages(rewards, eps).to(dtype)
            misses = oracle_rewards.advantage_misses(rewards, eps)
            given = (rewards,) if eps == DEFAULT else (rewards, eps)
            expect_close(student.group_advantages(*given), expected, atol=atol, misses=misses, what="the advantages")
    pairs = draw.normal(3, 2)
    expected, misses = oracle_rewards.advantages(pairs).float(), oracle_rewards.advantage_misses(pairs, DEFAULT)
    what = "the advantages in groups of two"
    expect_close(student.group_advantages(pairs), expected, atol=FLOAT32_LAYER, misses=misses, what=what)


@pytest.mark.task("m12.4")
@pytest.mark.holds("Example: rewards [[1, 2, 3]] with eps 0 give [[-1, 0, 1]].")
def test_the_group_of_the_docstring(student):
    """The docstring's group has advantages of -1, 0 and 1."""
    rewards = torch.tensor([[1.0, 2.0, 3.0]])
    misses = oracle_rewards.advantage_misses(rewards, 0.0)
    found = student.group_advantages(rewards, 0.0)
    expect_close(found, torch.tensor([[-1.0, 0.0, 1.0]]), atol=FLOAT32_OP, misses=misses, what="the advantages")


@pytest.mark.task("m12.4")
@pytest.mark.holds(
    "The deviation's divisor is size - 1, and eps is added to it, so that equal rewards have advantages of 0.",
)
def test_equal_rewards_have_no_advantage(student, draw):
    """A group whose rewards are equal has advantages of 0, and the groups beside it have theirs."""
    rewards = torch.cat([torch.full((1, 4), 0.75), draw.normal(1, 4), torch.full((1, 4), -2.0)])
    for eps in (DEFAULT, 0.5):
        expected, misses = (
            oracle_rewards.advantages(rewards, eps).float(),
            oracle_rewards.advantage_misses(rewards, eps),
        )
        found = student.group_advantages(rewards, eps)
        expect_close(found, expected, atol=FLOAT32_LAYER, misses=misses, what="the advantages")


@pytest.mark.task("m12.4")
@pytest.mark.holds("Raises ValueError, naming the size, when it is below 2.")
def test_a_group_of_one_is_refused(student):
    """Groups of one reward raise ValueError that names the size."""
    expect_raises("ValueError", student.group_advantages, torch.ones(3, 1), mentions=("1",), fine=(torch.rand(3, 2),))


def expect_lost(student, logp, old, gains, mask, eps=None, atol=FLOAT32_LAYER):
    """Compare the clipped loss."""
    clip = 0.2 if eps is None else eps
    expected = oracle_rewards.clipped_loss(logp, old, gains, mask, clip).to(logp.dtype)
    misses = oracle_rewards.clip_misses(logp, old, gains, mask, clip)
    found = student.clipped_loss(logp, old, gains, mask, *(() if eps is None else (eps,)))
    expect_close(found, expected, atol=atol, misses=misses, what="the loss")


def tokens(draw, dtype=torch.float32):
    """Draw log-probabilities of tokens now and when they were drawn, advantages, and which tokens count.

    They are drawn again while good and bad nearly cancel: a loss of almost 0 tells nothing.
    """
    mask = stretches(ROWS, 7)
    while True:
        old = -2 - draw.normal(4, 7, dtype=dtype).abs()
        logp, gains = old + draw.normal(4, 7, scale=0.5, dtype=dtype), draw.normal(4, 7, dtype=dtype) + 0.3
        kinds = [(some, eps) for some in (gains, gains[:, :1]) for eps in (0.2, 0.4)]
        if all(abs(float(oracle_rewards.clipped_loss(logp, old, some, mask, eps))) > 0.05 for some, eps in kinds):
            return logp, old, gains, mask


@pytest.mark.task("m12.4")
@pytest.mark.holds(
    "Average PPO's -min(ratio * advantage, clip(ratio, 1 - eps, 1 + eps) * advantage) over the tokens that count.",
    "ratio is exp(logp - old_logp).",
)
@pytest.mark.parametrize("good", [True, False], ids=["good", "bad"])
def test_nothing_is_earned_beyond_the_clip(student, draw, good):
    """A token that was good counts up to a ratio of 1 + eps, one that was bad down to 1 - eps, and never beyond."""
    old = -2 - draw.normal(2, 3).abs()
    logp = old + torch.tensor([[1.7, 0.15, 1.1], [0.9, 2.3, 0.12]]).log()
    size, sign = draw.normal(1, 1).abs() + 1, torch.tensor([[1.0], [-1.0]] if good else [[-1.0], [1.0]])
    gains = (sign * size).expand(2, 3).clone()  # all tokens of a row were as good, or as bad
    mask = torch.ones(2, 3, dtype=torch.bool)
    for eps in (None, 0.3):
        expect_lost(student, logp, old, gains, mask, eps)
        for place in range(3):  # one token, of which every average is the same
            now, then, gain, here = (part[:1, place : place + 1] for part in (logp, old, gains, mask))
            expect_lost(student, now, then, gain, here, eps)


@pytest.mark.task("m12.4")
@pytest.mark.holds(
    "Example: a ratio of 2 with eps 0.2 costs -1.2 with an advantage of 1, and 2 with one of -1.",
)
def test_the_ratio_of_the_docstring(student):
    """The docstring's token costs -1.2 where it was good, and 2 where it was bad."""
    logp, old, mask = torch.tensor([[math.log(0.5)]]), torch.tensor([[math.log(0.25)]]), torch.tensor([[True]])
    for gain, cost in ((1.0, -1.2), (-1.0, 2.0)):
        gains = torch.tensor([[gain]])
        misses = oracle_rewards.clip_misses(logp, old, gains, mask, 0.2)
        found = student.clipped_loss(logp, old, gains, mask, 0.2)
        expect_close(found, torch.tensor(cost), atol=FLOAT32_OP, misses=misses, what="the loss")


ROWS = ((1, 5), (0, 7), (2, 1), (3, 4))  # where in each row of 7 the tokens begin that count, and how many they are


@pytest.mark.task("m12.4")
@pytest.mark.holds(
    "Average PPO's -min(ratio * advantage, clip(ratio, 1 - eps, 1 + eps) * advantage) over the tokens that count.",
    'Advantages are one for each token, or one ("batch 1") for all tokens of a row.',
)
def test_every_token_that_counts_weighs_alike(student, draw):
    """Long completions have more of a say than short ones, with an advantage for each token or one for all."""
    for dtype, atol in PRECISIONS:
        logp, old, gains, mask = tokens(draw, dtype)
        for some in (gains, gains[:, :1]):
            for eps in (None, 0.4):
                expect_lost(student, logp, old, some, mask, eps, atol)


@pytest.mark.task("m12.4")
@pytest.mark.holds(
    "All tokens of the batch where mask is True weigh alike; the others have no effect, even where both "
    "log-probabilities are -inf.",
)
def test_tokens_that_do_not_count_do_no_harm(student, draw):
    """Whatever stands where the mask is False, the loss is the same, and the gradient there is 0."""
    logp, old, gains, mask = tokens(draw)
    weird = [values.clone() for values in (logp, old, gains)]
    weird[0][0, 0] = weird[1][0, 0] = -math.inf  # before a completion, and after one
    weird[0][2, 5], weird[1][2, 5], weird[2][2, 6] = 90.0, -90.0, 1e6
    expect_lost(student, logp, old, gains, mask)
    expected = oracle_rewards.clipped_loss(logp, old, gains, mask).float()
    ratio = (weird[0] - weird[1]).exp()
    late = -torch.minimum(ratio * weird[2], ratio.clamp(0.8, 1.2) * weird[2])
    misses = oracle_rewards.clip_misses(logp, old, gains, mask, 0.2)
    misses[HIDDEN_LATE] = lambda: (late * mask).sum() / mask.sum()
    found = student.clipped_loss(*weird, mask)
    expect_close(found, expected, atol=FLOAT32_LAYER, misses=misses, what="the loss")
    (wanted,) = oracle.slopes(lambda leaf: oracle_rewards.clipped_loss(leaf, old, gains, mask), logp)
    actual = student.plant(probes).slopes(student.clipped_loss, [*weird, mask], 1.0)["args"][0]
    slopes = {CUT: torch.zeros_like(wanted), HIDDEN_LATE: wanted.where(ratio.isfinite(), math.nan)}
    expect_close(actual, wanted, atol=FLOAT32_OP, misses=slopes, what="the gradient by logp")


@pytest.mark.task("m12.4")
@pytest.mark.holds("They and old_logp are constants: no gradient arrives there.")
def test_only_the_policy_of_today_is_trained(student, draw):
    """The gradient is that of the ratio, where it is not clipped away; none arrives at what was fixed before."""
    logp, old, gains, mask = tokens(draw)
    (wanted,) = oracle.slopes(lambda leaf: oracle_rewards.clipped_loss(leaf, old, gains, mask), logp)
    found = student.plant(probes).slopes(student.clipped_loss, [logp, old, gains, mask], 1.0)["args"]
    misses = {CUT: torch.zeros_like(wanted)}
    expect_close(found[0], wanted, atol=FLOAT32_OP, misses=misses, what="the gradient by logp")
    for name, actual in zip(("old_logp", "advantages"), found[1:], strict=True):
        still = torch.equal(actual, torch.zeros_like(logp))
        expect(still, f"A gradient arrives at {name}.", mistake=CONSTANTS, evidence="value")


@pytest.mark.task("m12.4")
@pytest.mark.holds("When none counts the loss is 0, and its gradient 0 everywhere.")
def test_no_tokens_cost_nothing(student, draw):
    """Where no token counts the loss is 0, and so is its gradient."""
    logp, old, gains, mask = tokens(draw)
    mask = torch.zeros_like(mask)
    misses = {DIVIDED: torch.tensor(math.nan)}
    found = student.clipped_loss(logp, old, gains, mask)
    expect_close(found, torch.tensor(0.0), atol=FLOAT32_OP, misses=misses, what="the loss where nothing counts")
    actual = student.plant(probes).slopes(student.clipped_loss, [logp, old, gains, mask], 1.0)["args"][0]
    misses = {DIVIDED: torch.full_like(logp, math.nan)}
    expect_close(actual, torch.zeros(4, 7), atol=FLOAT32_OP, misses=misses, what="the gradient where nothing counts")


@pytest.mark.task("m12.4")
@pytest.mark.holds(
    "Return k1, k2 and k3 of each token: what it, drawn from a policy, says of KL(policy, reference).",
    "With d = logp - reference_logp these are d, d² / 2 and exp(-d) - 1 + d.",
    "Example: ln(1/2) and ln(1/4) give ln 2 = 0.6931, 0.2402 and ln(2) - 1/2 = 0.1931.",
)
def test_three_estimates_of_one_distance(student, draw):
    """Each token has three estimates, made of one difference, in their order."""
    cases = []
    for dtype, atol in PRECISIONS:
        logp = -1 - draw.normal(3, 5, dtype=dtype).abs()
        cases.append((logp, logp + draw.normal(3, 5, dtype=dtype) + 0.4, atol))
    cases.append((torch.tensor([[math.log(0.5)]]), torch.tensor([[math.log(0.25)]]), FLOAT32_OP))
    for logp, reference, atol in cases:
        expected, misses = oracle_rewards.kl_estimates(logp, reference), oracle_rewards.kl_misses(logp, reference)
        found = student.kl_estimates(logp, reference)
        shown = isinstance(found, tuple) and len(found) == 3
        expect(shown, "kl_estimates returns no tuple of k1, k2 and k3.", mistake=THREE, evidence="value")
        for number, (actual, right) in enumerate(zip(found, expected, strict=True)):
            expect_close(actual, right.to(logp.dtype), atol=atol, misses=misses[number], what=f"k{number + 1}")


@pytest.mark.task("m12.4")
@pytest.mark.holds("Their gradients by logp pull a policy back.")
def test_the_distance_pulls_the_policy_back(student, draw):
    """Each estimate has a gradient by the policy's log-probabilities: a loss that holds it small can be trained."""
    logp = -1 - draw.normal(3, 5).abs()
    reference, weights = logp + draw.normal(3, 5) + 0.4, draw.normal(3, 5)
    found = student.plant(probes).pulls(student.kl_estimates, logp, reference, weights)
    wanted = oracle_rewards.kl_slopes(logp, reference)
    for number, (actual, slope) in enumerate(zip(found, wanted, strict=True)):
        right, misses = (weights * slope).float(), {LOOSE: torch.zeros_like(logp)}
        expect_close(actual, right, atol=FLOAT32_LAYER, misses=misses, what=f"the gradient of k{number + 1} by logp")


@pytest.mark.task("m12.4")
@pytest.mark.holds("Nothing given changes.")
@pytest.mark.warm("torch._dynamo")
def test_losses_stay_on_their_device(student, draw):
    """On another device than the default one, everything is made where the arguments are, and none of these changes."""
    logp, old, gains, mask = tokens(draw)
    expect_lost(student, logp, old, gains, mask)
    for function, *given in ((student.group_advantages, gains), (student.clipped_loss, logp, old, gains, mask)):
        after = student.probe.mutated(function, *given)["args"]
        for number, (value, before) in enumerate(zip(after, given, strict=True), 1):
            expect_unchanged(value, before, what=f"argument {number} after the call")
    expect_one_device(student, student.group_advantages, [gains], mistake=DEVICE)
    expect_one_device(student, student.clipped_loss, [logp, old, gains, mask], mistake=DEVICE)
    expect_one_device(student, student.kl_estimates, [logp, old], mistake=DEVICE)


@pytest.mark.task("m12.4")
@pytest.mark.limits(seconds=60)
def test_rewards_are_followed(student, draw):
    """Rounds of sampling, comparing and clipping teach a tiny policy what pays; rewards by lot teach it nothing."""
    rounds, planted = Rounds(draw), student.plant(probes)
    names = ("token_logprobs", "group_advantages", "clipped_loss", "kl_estimates")
    parts = {name: getattr(student, name) for name in names}
    found = {}
    for told in (False, True):
        models = [student.plant(model).build(rounds.SIZES, rounds.start) for _ in range(2)]
        seed = int(draw.integers(0, 2**31, 1))
        recipe = rounds.recipe() if told else rounds.recipe(rounds=rounds.CONTROL)
        state = planted.follow(parts, *models, rounds.worth, recipe, seed, not told)
        for name, value in rounds.start.items():
            expect_tensor(state.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
        found[told] = rounds.measure(draw, state)
    before = rounds.measure(draw, rounds.start)
    said = f"A completion earns {found[True].earned:.2f}; expected more than {rounds.LEARNED}."
    expect_bound(found[True].earned, said, above=rounds.LEARNED)
    said = f"The policy's KL to the reference is {found[True].kl:.2f} nats a token; expected less than {rounds.NEAR}."
    expect_bound(found[True].kl, said, below=rounds.NEAR)
    said = f"From rewards by lot a completion came to earn {found[False].earned:.2f}."
    expect_bound(found[False].earned, said, below=rounds.LEARNED)
    achieve(
        f"Your policy's completions earn {found[True].earned:.2f} instead of {before.earned:.2f}, "
        f"{found[True].kl:.2f} nats a token from the reference."
    )


def expect_credit(student, rewards, values, mask, gamma, lam, atol=FLOAT32_LAYER, given=None):
    """Compare advantages of tokens; `given` are gamma and lam as they are handed in."""
    expected = oracle_rewards.credit(rewards, values, mask, gamma, lam).to(values.dtype)
    misses = oracle_rewards.credit_misses(rewards, values, mask, gamma, lam)
    found = student.gae(rewards, values, mask, *((gamma, lam) if given is None else given))
    expect_close(found, expected, atol=atol, misses=misses, what="the advantages")


@pytest.mark.task("m12.5")
@pytest.mark.holds(
    "Return advantages: each token's surprise, and gamma * lam times the advantage of the next token.",
    "A surprise is reward + gamma * next value - value.",
)
def test_credit_goes_back_from_token_to_token(student, draw):
    """What surprises at a token is credited to all before it, less with every step; gamma is 1 and lam 0.95 unsaid."""
    mask = torch.ones(3, 6, dtype=torch.bool)
    for dtype, atol in PRECISIONS:
        rewards, values = draw.normal(3, 6, dtype=dtype), draw.normal(3, 6, dtype=dtype) + 0.5
        for gamma, lam, given in ((0.9, 0.7, None), (1.0, 0.95, ()), (0.8, 1.0, None), (0.9, 0.0, None)):
            expect_credit(student, rewards, values, mask, gamma, lam, atol, given)


@pytest.mark.task("m12.5")
@pytest.mark.holds(
    "Example: rewards [[0, 0, 1, -0.5]], values [[0.2, 0.4, 0.1, 0.3]], all of which count, gamma 0.9 and lam 0.8 give "
    "[[0.2447, 0.1177, 0.594, -0.8]].",
)
def test_the_credit_of_the_docstring(student):
    """The docstring's four tokens have their advantages."""
    rewards, values = torch.tensor([[0.0, 0.0, 1.0, -0.5]]), torch.tensor([[0.2, 0.4, 0.1, 0.3]])
    expect_credit(student, rewards, values, torch.ones(1, 4, dtype=torch.bool), 0.9, 0.8, FLOAT32_OP)


@pytest.mark.task("m12.5")
@pytest.mark.holds(
    "The tokens of a row that count (mask) stand side by side; after the last of them value and advantage are 0.",
    "Elsewhere the result is 0, whatever finite numbers stand there.",
    "Nothing given changes.",
)
def test_a_completion_ends_with_its_last_token(student, draw):
    """Prompts and padding have advantages of 0, and nothing of their rewards and values reaches the completion."""
    mask = stretches(ROWS, 7)
    loud = torch.where(mask, 1.0, 7.0)
    for _ in range(2):
        rewards, values = draw.normal(4, 7) * loud, (draw.normal(4, 7) + 0.5) * loud
        expect_credit(student, rewards, values, mask, 0.9, 0.7)
    mask[1] = False
    expect_credit(student, rewards, values, mask, 0.9, 0.7)
    rewards, values = draw.normal(4, 1).abs() + 1, -draw.normal(4, 1).abs()
    expect_credit(student, rewards, values, mask[:, 2:3], 0.9, 0.7)  # of one token each
    given = draw.normal(4, 7), draw.normal(4, 7) + 0.5, stretches(ROWS, 7)
    found = student.probe.mutated(student.gae, *given, 0.9, 0.7)
    expected, misses = oracle_rewards.credit(*given, 0.9, 0.7), oracle_rewards.credit_misses(*given, 0.9, 0.7)
    expect_close(found["result"], expected.float(), atol=FLOAT32_LAYER, misses=misses, what="the advantages")
    for name, after, before in zip(("rewards", "values", "the mask"), found["args"], given, strict=False):
        expect_unchanged(after, before, what=f"{name} after the call")


@pytest.mark.task("m12.5")
@pytest.mark.holds("The result is a constant: no gradient goes back from it.")
@pytest.mark.warm("torch._dynamo")
def test_advantages_are_constants(student, draw):
    """Advantages of values that are being trained have no graph, and are made where the values are."""
    rewards, values, mask = draw.normal(4, 7), draw.normal(4, 7) + 0.5, stretches(ROWS, 7)
    found = student.plant(probes).traced(student.gae, rewards, values, mask, 0.9, 0.7)
    expected = oracle_rewards.credit(rewards, values, mask, 0.9, 0.7).float()
    misses = oracle_rewards.credit_misses(rewards, values, mask, 0.9, 0.7)
    expect_close(found["result"], expected, atol=FLOAT32_LAYER, misses=misses, what="the advantages")
    expect(found["graph"] is False, "The advantages require a gradient.", mistake=GRAPH)
    expect_one_device(student, student.gae, [rewards, values, mask], mistake=DEVICE)
