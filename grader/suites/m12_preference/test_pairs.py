"""m12_preference: a number for a text, losses over pairs with it and without, and what a policy learns from pairs."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    StudentError,
    achieve,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_tensor,
)

from . import oracle, probes
from .oracle_learning import Taste
from .steps import stretches

CUT = "the graph is cut: detach(), .item() or no_grad stands on the way"
DEVICE = "something is made on the default device instead of where the arguments are"
BIAS = "the layer has a bias, which the differences of rewards do not see"
SWAPPED = "the layer's two sizes are swapped: it goes from d_model to 1"
RENAMED = "the layer is there, and is not called score: weights are looked up by that name"
TRAINED = "the reference is trained too: detach its log-probabilities"
LN2, LN4 = -math.log(2), -math.log(4)
PRECISIONS = ((torch.float32, FLOAT32_LAYER), (torch.float64, FLOAT64))


def head(student, weight):
    """Return a reward head with this weight."""
    made = student.RewardHead(weight.shape[1])
    try:
        made.load_state_dict({"score.weight": weight})
    except StudentError:
        expect_state(student, made, weight.shape[1])  # which says what is expected
        raise
    return made


def expect_state(student, made, d_model):
    """Compare the names and shapes of a head's state."""
    shapes = {name: list(value.shape) for name, value in student.plant(probes).state(made).items()}
    other = "score.weight" not in shapes and [*shapes.values()] in ([[1, d_model]], [[1, d_model], [1]])
    misses = {
        BIAS: {"score.weight": [1, d_model], "score.bias": [1]},
        SWAPPED: {"score.weight": [d_model, 1]},
        RENAMED: shapes if other else None,
    }
    expect_equal(shapes, {"score.weight": [1, d_model]}, misses=misses, what="the state of a new head")


@pytest.mark.task("m12.2")
@pytest.mark.holds("Score each row where mask is True for the last time: padding may be on any side.")
@pytest.mark.parametrize("side", ["right", "left", "both"])
def test_a_text_is_scored_at_its_last_token(student, draw, side):
    """Whatever stands to the right or left of it, each row's last real token gives the reward."""
    rows = {
        "right": ((0, 3), (0, 1), (0, 7), (0, 5)),
        "left": ((4, 3), (6, 1), (0, 7), (2, 5)),
        "both": ((1, 3), (3, 1), (1, 5), (2, 4)),
    }[side]
    mask, weight = stretches(rows, 7), draw.normal(1, 5)
    if side == "both":
        mask[2, 3] = False  # a hole in the middle
    hidden = draw.normal(4, 7, 5)
    expected, misses = oracle.text_rewards(hidden, mask, weight), oracle.head_misses(hidden, mask, weight)
    expect_close(head(student, weight)(hidden, mask), expected, atol=FLOAT32_LAYER, misses=misses, what="the rewards")


@pytest.mark.task("m12.2")
@pytest.mark.holds(
    "Example: with a weight of [[2]] rows [[1], [2], [3]], [[4], [5], [6]] and masks [True, True, False], [False, "
    "True, True] give [4, 12].",
)
def test_the_texts_of_the_docstring(student):
    """The docstring's two rows, padded on the right and on the left, have rewards of 4 and 12."""
    hidden = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    mask, weight = torch.tensor([[True, True, False], [False, True, True]]), torch.tensor([[2.0]])
    misses = oracle.head_misses(hidden, mask, weight)
    found = head(student, weight)(hidden, mask)
    expect_close(found, torch.tensor([4.0, 12.0]), atol=FLOAT32_OP, misses=misses, what="the rewards")


@pytest.mark.task("m12.2")
def test_one_text_has_one_reward(student, draw):
    """A batch of one text gives a batch of one reward."""
    hidden, mask, weight = draw.normal(1, 5, 3), stretches(((1, 3),), 5), draw.normal(1, 3)
    expected, misses = oracle.text_rewards(hidden, mask, weight), oracle.head_misses(hidden, mask, weight)
    expect_close(head(student, weight)(hidden, mask), expected, atol=FLOAT32_LAYER, misses=misses, what="the reward")


@pytest.mark.task("m12.2")
@pytest.mark.holds("Raises ValueError, naming the row (the first is 0), when all of it is padding.")
def test_a_row_of_padding_is_refused(student, draw):
    """A row without any real token raises ValueError, which names the row."""
    made, hidden = head(student, draw.normal(1, 2)), draw.normal(3, 5, 2)
    for row in (0, 2):
        fine = stretches(((0, 4), (0, 3), (0, 1)), 5)
        mask = fine & (torch.arange(3) != row)[:, None]
        what = f"the head with nothing but padding in row {row}"
        expect_raises("ValueError", made, hidden, mask, mentions=(str(row),), fine=(hidden, fine), what=what)


@pytest.mark.task("m12.2")
@pytest.mark.holds(
    "The last layer of a reward model.",
    "`score`, an nn.Linear from d_model to 1 without bias, is its only state.",
)
def test_score_is_all_its_state(student, draw):
    """The head's state is score.weight, of one row; a gradient reaches it and the vectors that were read."""
    hidden, mask, weight = draw.normal(3, 5, 4), stretches(((0, 4), (1, 4), (0, 2)), 5), draw.normal(1, 4)
    expect_state(student, student.RewardHead(4), 4)
    made, weights = head(student, weight), draw.normal(3)
    found = student.plant(probes).slopes(made, [hidden, mask], weights, made)
    rows = torch.arange(3)
    read = hidden[rows, oracle.last_places(mask)]
    wanted = torch.zeros_like(hidden)
    wanted[rows, oracle.last_places(mask)] = weights[:, None] * weight
    cut = {CUT: torch.zeros_like(wanted)}
    expect_close(found["args"][0], wanted, atol=FLOAT32_LAYER, misses=cut, what="the gradient by the vectors")
    by_weight = (weights[:, None] * read).sum(dim=0, keepdim=True)
    given = found["parameters"].get("score.weight")
    expect_close(given, by_weight, atol=FLOAT32_LAYER, what="the gradient by score.weight")


@pytest.mark.task("m12.2")
@pytest.mark.warm("torch._dynamo")
def test_places_are_counted_where_the_mask_is(student, draw):
    """On another device than the default one, places are counted on the mask's device."""
    hidden, mask, weight = draw.normal(3, 5, 2), stretches(((0, 5), (0, 2), (0, 3)), 5), draw.normal(1, 2)
    made = head(student, weight)
    expected, misses = oracle.text_rewards(hidden, mask, weight), oracle.head_misses(hidden, mask, weight)
    expect_close(made(hidden, mask), expected, atol=FLOAT32_LAYER, misses=misses, what="the rewards")
    expect_one_device(student, made, [hidden, mask], mistake=DEVICE)


@pytest.mark.task("m12.2")
@pytest.mark.holds(
    "Average -ln sigmoid(chosen - rejected - margin) over all pairs, exactly however far apart they are.",
    "Without a margin it is 0.",
)
def test_the_chosen_must_lead_by_its_margin(student, draw):
    """The loss is an average over pairs; a margin is taken from the lead of the chosen one."""
    for dtype, atol in PRECISIONS:
        chosen, rejected = draw.normal(5, scale=2.0, dtype=dtype) + 1, draw.normal(5, scale=2.0, dtype=dtype)
        margin = draw.normal(5, dtype=dtype).abs() + 0.5
        for given in ((), (None,), (margin,)):
            expected = oracle.reward_loss(chosen, rejected, *given).to(dtype)
            misses = oracle.reward_misses(chosen, rejected, *given)
            found = student.reward_loss(chosen, rejected, *given)
            expect_close(found, expected, atol=atol, misses=misses, what="the loss")


@pytest.mark.task("m12.2")
@pytest.mark.holds("Example: rewards of 2 and 1 cost ln(1 + 1/e) = 0.3133, with a margin of 1 ln 2.")
def test_the_rewards_of_the_docstring(student):
    """The docstring's pair costs 0.3133 nats, and ln 2 with a margin of 1."""
    chosen, rejected, margin = torch.tensor([2.0]), torch.tensor([1.0]), torch.tensor([1.0])
    for given, expected in (((), math.log(1 + math.exp(-1))), ((margin,), math.log(2))):
        misses = oracle.reward_misses(chosen, rejected, *given)
        found = student.reward_loss(chosen, rejected, *given)
        expect_close(found, torch.tensor(expected), atol=FLOAT32_OP, misses=misses, what="the loss")


@pytest.mark.task("m12.2")
@pytest.mark.holds(
    "Average -ln sigmoid(chosen - rejected - margin) over all pairs, exactly however far apart they are.",
)
def test_pairs_far_apart_cost_what_they_must(student, draw):
    """A pair that lies 200 the wrong way costs 200, one that lies 200 the right way nothing, with their gradients."""
    chosen = draw.integers(-9, 9, 4).float() + torch.tensor([-200.0, 200.0, -150.0, 1.5])
    rejected = draw.integers(-9, 9, 4).float()
    expected, misses = oracle.reward_loss(chosen, rejected).float(), oracle.reward_misses(chosen, rejected)
    found = student.reward_loss(chosen, rejected)
    expect_close(found, expected, atol=FLOAT32_LAYER, rtol=FLOAT32_OP, misses=misses, what="the loss")
    wanted = oracle.slopes(oracle.reward_loss, chosen, rejected)
    given = student.plant(probes).slopes(student.reward_loss, [chosen, rejected], 1.0)["args"]
    for name, actual, right in zip(("chosen", "rejected"), given, wanted, strict=True):
        cut = {CUT: torch.zeros_like(right)}
        expect_close(actual, right, atol=FLOAT32_OP, misses=cut, what=f"the gradient by {name}")


def likelihoods(draw, pairs, dtype=torch.float32):
    """Draw log-probabilities of pairs of completions: chosen and rejected, by a policy and by a reference."""
    reference = [-20 + draw.normal(pairs, scale=4.0, dtype=dtype) for _ in range(2)]
    policy = [values + draw.normal(pairs, scale=3.0, dtype=dtype) for values in reference]
    return [*policy, *reference]


@pytest.mark.task("m12.3")
@pytest.mark.holds(
    "Return the rewards that a policy acts by: beta times its log-probabilities less the reference's.",
    "Both are sums over whole completions.",
    "Example: ln(1/2) and ln(1/4) with beta 0.5 give ln(2) / 2 = 0.3466.",
)
def test_a_policy_has_rewards_of_its_own(student, draw):
    """What a policy likes is what it has made likelier than the reference, in units of beta."""
    cases = []
    for dtype, atol in PRECISIONS:
        policy, _, reference, _ = likelihoods(draw, 6, dtype)
        cases.append((policy, reference, 0.3, dtype, atol))
    cases.append((torch.tensor([LN2]), torch.tensor([LN4]), 0.5, torch.float32, FLOAT32_OP))
    for policy, reference, beta, dtype, atol in cases:
        expected = (beta * (policy.double() - reference.double())).to(dtype)
        misses = oracle.implicit_misses(policy, reference, beta)
        found = student.implicit_rewards(policy, reference, beta)
        expect_close(found, expected, atol=atol, misses=misses, what="the rewards")


def expect_dpo(student, four, beta, dtype, atol, rtol=0.0):
    """Compare DPO's loss of four log-probabilities of each pair."""
    expected, misses = oracle.dpo_loss(four, beta).to(dtype), oracle.dpo_misses(four, beta)
    expect_close(student.dpo_loss(*four, beta), expected, atol=atol, rtol=rtol, misses=misses, what="the loss")


@pytest.mark.task("m12.3")
@pytest.mark.holds(
    "Average -ln sigmoid(implicit reward of the chosen less that of the rejected) over all pairs, exactly as above.",
)
def test_the_chosen_must_have_moved_further(student, draw):
    """What counts is how much further than the rejected the chosen has moved from the reference, in units of beta."""
    for dtype, atol in PRECISIONS:
        for beta in (0.5, 0.1):
            expect_dpo(student, likelihoods(draw, 5, dtype), beta, dtype, atol)
    far = [values + shift for values, shift in zip(likelihoods(draw, 3), (-900.0, 0.0, 0.0, 0.0), strict=True)]
    expect_dpo(student, far, 0.5, torch.float32, FLOAT32_LAYER, FLOAT32_OP)


@pytest.mark.task("m12.3")
@pytest.mark.holds(
    "Example: a policy's ln(1/2) and ln(1/4), twice the reference's ln(1/4), and beta 1 cost ln(3/2) = 0.4055.",
)
def test_the_pair_of_the_docstring(student):
    """The docstring's pair costs ln(3/2)."""
    four = [torch.tensor([value]) for value in (LN2, LN4, LN4, LN4)]
    expect_dpo(student, four, 1.0, torch.float32, FLOAT32_OP)


def expect_slopes(student, function, loss, four, further):
    """Compare the gradients by a policy's log-probabilities; none arrives at the reference's."""
    right = oracle.slopes(lambda *some: loss(*some, four[2].double(), four[3].double()), *four[:2])
    found = student.plant(probes).slopes(function, [*four, *further], 1.0)["args"]
    for name, actual, wanted in zip(("policy_chosen", "policy_rejected"), found, right, strict=False):
        misses = {CUT: torch.zeros_like(wanted)}
        expect_close(actual, wanted, atol=FLOAT32_OP, misses=misses, what=f"the gradient by {name}")
    for name, actual in zip(("reference_chosen", "reference_rejected"), found[2:], strict=True):
        still = torch.equal(actual, torch.zeros_like(four[2]))
        expect(still, f"A gradient arrives at {name}.", mistake=TRAINED, evidence="value")


@pytest.mark.task("m12.3")
@pytest.mark.holds("The reference is not trained: no gradient arrives at its log-probabilities.")
def test_dpo_trains_the_policy_alone(student, draw):
    """The gradient raises the chosen and lowers the rejected, most where they are the wrong way round."""
    four, beta = likelihoods(draw, 5), 0.3
    expect_slopes(student, student.dpo_loss, lambda *some: oracle.dpo_loss(list(some), beta), four, [beta])


def lengths(draw, pairs):
    """Draw the lengths of chosen and rejected completions."""
    return [draw.integers(2, 9, pairs), draw.integers(9, 17, pairs)]


@pytest.mark.task("m12.3")
@pytest.mark.holds(
    "Average (chosen - rejected - 1 / (2 beta))² over all pairs: a distance to reach, not to grow for ever.",
    "Each of the two is the policy's log-probability less the reference's, divided by how many tokens it sums.",
    "Example: the numbers above with lengths 2 and 1 and beta 1 cost (ln(2) / 2 - 1/2)² = 0.0235.",
)
def test_ipo_asks_for_a_distance(student, draw):
    """IPO's loss is 0 where the chosen has moved by 1 / (2 beta) a token more than the rejected, and else a square."""
    cases = []
    for dtype, atol in PRECISIONS:
        cases += [(likelihoods(draw, 5, dtype), lengths(draw, 5), beta, dtype, atol) for beta in (0.3, 0.9)]
    four = [torch.tensor([value]) for value in (LN2, LN4, LN4, LN4)]
    cases.append((four, [torch.tensor([2]), torch.tensor([1])], 1.0, torch.float32, FLOAT32_OP))
    for four, both, beta, dtype, atol in cases:
        expected, misses = oracle.ipo_loss(four, both, beta).to(dtype), oracle.ipo_misses(four, both, beta)
        expect_close(student.ipo_loss(*four, *both, beta), expected, atol=atol, misses=misses, what="the loss")


@pytest.mark.task("m12.3")
@pytest.mark.holds("No gradient arrives at the reference here either.")
def test_ipo_trains_the_policy_alone(student, draw):
    """The gradient pulls both completions towards the distance, and the reference stays."""
    four, both, beta = likelihoods(draw, 5), lengths(draw, 5), 0.3
    expect_slopes(student, student.ipo_loss, lambda *some: oracle.ipo_loss(list(some), both, beta), four, [*both, beta])


@pytest.mark.task("m12.3")
@pytest.mark.limits(seconds=60)
def test_a_taste_is_learned_from_pairs(student, draw, data):
    """DPO teaches gpt2-nano a drawn reader's taste at a small distance; from random choices it learns none."""
    taste, planted = Taste(draw, data), student.plant(probes)
    parts = {name: getattr(student, name) for name in ("sequence_logprobs", "dpo_loss")}
    found = {}
    for told in (False, True):
        gpt, reference = (taste.gpt.inside(student, draw) for _ in range(2))
        pairs = taste.pairs(draw, told)
        state = planted.prefer(parts, gpt, reference, taste.TRAINED, *pairs, taste.BETA, taste.RATE)
        for name, value in taste.gpt.start.items():
            expect_tensor(state.get(name), shape=tuple(value.shape), dtype=torch.float32, what=name)
        found[told] = taste.measure(state)
    said = f"A held-out pair costs {found[True].loss:.2f}; expected less than {taste.LEARNED}."
    expect_bound(found[True].loss, said, below=taste.LEARNED)
    said = f"The policy's KL to the reference is {found[True].kl:.2f} nats a token; expected less than {taste.NEAR}."
    expect_bound(found[True].kl, said, below=taste.NEAR)
    said = (
        f"After pairs that were chosen by a coin, held-out pairs cost {found[False].loss:.2f}; knowing nothing, 0.69."
    )
    expect_bound(found[False].loss, said, above=taste.LEARNED)
    achieve(
        f"Your policy likes the better of two held-out openings in {found[True].share:.0%} of pairs, "
        f"{found[True].kl:.2f} nats a token from the reference."
    )
