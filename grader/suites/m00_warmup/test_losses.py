"""m00_warmup: losses and their gradient."""

import math

import pytest
import torch
import torch.nn.functional as F

from grader.judge import (
    BFLOAT16,
    FLOAT16,
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64_CONSTANT,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared.digits import expect_float64

from . import oracle

UNITS = 1e-6  # rtol: several units in the last place of a float32


def expect_softmax(student, x, dim=-1, *, atol=FLOAT32_OP, rtol=UNITS, expected=None):
    """Compare the student's softmax with the reference and with the near misses."""
    expected = oracle.softmax(x, along=dim) if expected is None else expected
    expect_close(student.softmax(x, dim), expected, atol=atol, rtol=rtol, misses=oracle.softmax_misses(x, dim))


def expect_log_softmax(student, x, dim=-1, *, atol=FLOAT32_LAYER, rtol=UNITS, expected=None):
    """Compare the student's log_softmax with the reference and with the near misses."""
    expected = oracle.log_softmax(x, along=dim) if expected is None else expected
    expect_close(student.log_softmax(x, dim), expected, atol=atol, rtol=rtol, misses=oracle.log_softmax_misses(x, dim))


def expect_loss(student, logits, targets, *, atol=FLOAT32_LAYER, rtol=UNITS, expected=None):
    """Compare the student's cross_entropy with the reference and with the near misses."""
    expected = oracle.cross_entropy(logits, targets) if expected is None else expected
    misses = oracle.cross_entropy_misses(logits, targets)
    expect_close(student.cross_entropy(logits, targets), expected, atol=atol, rtol=rtol, misses=misses, what="the loss")


def expect_step(student, *args, atol=FLOAT32_LAYER, rtol=UNITS):
    """Compare the student's gradient_step with autograd's and with the near misses; return the new weight."""
    answer, (loss, weight) = student.gradient_step(*args), oracle.gradient_step(*args)
    pair = type(answer) is tuple and len(answer) == 2
    expect(pair, "The result is no tuple of two: (loss, new weight).", evidence="value")
    losses, weights = oracle.step_misses(*args)
    weights |= {oracle.SWAPPED: lambda: loss}
    expect_close(answer[1], weight, atol=atol, rtol=rtol, misses=weights, what="the new weight")
    expect_close(answer[0], loss, atol=atol, rtol=rtol, misses=losses, what="the loss")
    return answer[1]


@pytest.mark.task("m00.1")
@pytest.mark.holds("Example: [0, ln 3] and [1000, 1000 + ln 3] both give [1/4, 3/4].")
def test_two_scores_as_in_the_docstring(student):
    """The scores 0 and ln 3 give 1/4 and 3/4, also with 1000 added to or taken from both."""
    right = torch.tensor([0.25, 0.75])
    for offset in (0.0, 1000.0, -1000.0):
        x = torch.tensor([0.0, math.log(3)]) + offset
        expect_softmax(student, x, atol=FLOAT32_MODEL, expected=right)  # float32 rounds 1001.1 by 3e-5
        expect_log_softmax(student, x, atol=FLOAT32_MODEL, expected=right.log())


@pytest.mark.task("m00.1")
@pytest.mark.holds(
    "Turn the scores along an axis into probabilities: e to each score, divided by their sum.",
    "Return log(softmax(x, dim)), right also where the probability is too small to exist: [0, 1000] is [-1000, 0].",
)
def test_any_axis_can_be_normalised(student, draw):
    """Along any axis, counted from either end, both functions agree with torch's own."""
    x = draw.normal(3, 5, 7)
    for dim in (1, 0, 2, -1, -2):
        expect_softmax(student, x, dim, expected=torch.softmax(x, dim))
        expect_log_softmax(student, x, dim, expected=torch.log_softmax(x, dim))


@pytest.mark.task("m00.1")
def test_the_last_axis_is_the_default(student, draw):
    """Without dim the last axis is normalised; a lone score has the probability 1."""
    x = draw.normal(3, 5)
    expect_close(student.softmax(x), oracle.softmax(x), atol=FLOAT32_OP, misses=oracle.softmax_misses(x))
    expect_close(student.log_softmax(x), oracle.log_softmax(x), atol=FLOAT32_OP, misses=oracle.log_softmax_misses(x))
    expect_close(student.softmax(x[:, :1]), torch.ones(3, 1), atol=FLOAT32_OP)
    expect_close(student.log_softmax(x[:, :1]), torch.zeros(3, 1), atol=FLOAT32_OP)


@pytest.mark.task("m00.1")
def test_slices_far_apart_each_keep_their_own_scale(student, draw):
    """One slice around -1000, one around 0 and one around 1000 are all finite and right."""
    x = torch.tensor([-1000.0, 0.0, 1000.0])[:, None] + draw.normal(3, 6)
    for dim, scores in ((1, x), (0, x.T.contiguous())):
        expect_softmax(student, scores, dim, rtol=1e-5)
        # x - logsumexp(x) is right too, and loses what float32 cannot add to 1000.
        expect_log_softmax(student, scores, dim, atol=FLOAT32_MODEL)


@pytest.mark.task("m00.1")
@pytest.mark.holds(
    "Scores of any size give finite results, minus infinity gives 0; any floating dtype goes in and comes out.",
)
def test_scores_that_spread_widely_do_not_overflow(student, draw):
    """Scores some hundreds apart give finite results: the exponential of none of them exists in float32."""
    x = draw.normal(4, 9, scale=0.5) + 600.0 * draw.integers(-1, 2, 4, 9)
    x[:, :2] = draw.normal(4, 2) + 600.0  # two that share most of each row
    expect_softmax(student, x, atol=1e-8, rtol=1e-4)
    expect_log_softmax(student, x, atol=FLOAT32_MODEL)


@pytest.mark.task("m00.1")
@pytest.mark.holds(
    "Scores of any size give finite results, minus infinity gives 0; any floating dtype goes in and comes out.",
)
def test_minus_infinity_has_the_probability_zero(student, draw):
    """A score of minus infinity gets exactly 0, and the others share 1 as if it were not there."""
    x = draw.normal(4, 6)
    hidden = torch.arange(6) == torch.tensor([0, 2, 3, 5])[:, None]
    actual = student.softmax(x.masked_fill(hidden, -math.inf))
    rest = oracle.softmax(x[~hidden].reshape(4, 5)).flatten()
    expected = torch.zeros(4, 6).masked_scatter(~hidden, rest)
    expect_close(actual, expected, atol=FLOAT32_OP, rtol=UNITS)
    expect(bool((actual[hidden] == 0).all()), "A score of -inf still has a probability.", evidence="value")


@pytest.mark.task("m00.1")
@pytest.mark.holds(
    "Return log(softmax(x, dim)), right also where the probability is too small to exist: [0, 1000] is [-1000, 0].",
)
def test_log_softmax_knows_what_softmax_rounds_to_zero(student, draw):
    """Scores 200 to 1000 below the largest have log-probabilities of about -200 to -1000, not minus infinity."""
    expect_log_softmax(student, torch.tensor([0.0, 1000.0]), expected=torch.tensor([-1000.0, 0.0]))
    x = -200.0 - 800 * torch.rand(4, 7, generator=draw.generator)
    x[:, 3] = draw.normal(4)
    expect_log_softmax(student, x)


@pytest.mark.task("m00.1")
@pytest.mark.holds(
    "Scores of any size give finite results, minus infinity gives 0; any floating dtype goes in and comes out.",
)
def test_other_dtypes_go_in_and_come_out(student, draw):
    """Scores in float64, float16 and bfloat16 are returned as they came, as exact as they allow."""
    x = draw.integers(-4, 5, 4, 6) / 4 + 20  # exact in all of them, and e to the 20 is infinite in float16
    expect_float64(student.softmax, oracle.softmax, x, misses=oracle.softmax_misses(x.double(), -1))
    expect_float64(student.log_softmax, oracle.log_softmax, x, misses=oracle.log_softmax_misses(x.double(), -1))
    for dtype, atol, rtol in ((torch.float16, FLOAT16 / 4, 5e-3), (torch.bfloat16, FLOAT16 / 4, 1e-2)):
        for function in (student.softmax, student.log_softmax):
            expect_answer(function, x.to(dtype), simpler=(x,), mistake=oracle.NO_BFLOAT16)
        expect_softmax(student, x.to(dtype), atol=atol, rtol=rtol)
        expect_log_softmax(student, (x - 20).to(dtype), atol={5e-3: FLOAT16, 1e-2: BFLOAT16}[rtol], rtol=rtol)
        far = student.log_softmax(x.to(dtype))  # by x - logsumexp(x), as exact as x itself: too coarse to compare
        expect_tensor(far, shape=(4, 6), dtype=dtype)
        finite = bool(far.isfinite().all())
        expect(finite, f"Scores around 20 in {dtype} overflow.", mistake=oracle.OVERFLOW, evidence="value")


@pytest.mark.task("m00.1")
@pytest.mark.holds("x stays as it is.")
def test_scores_stay_as_they_were(student, draw):
    """The scores are the same after the call as before it."""
    x = draw.normal(4, 6) + 3
    misses = {"the scores are shifted in place (-= or sub_)": x - x.amax(-1, keepdim=True)}
    for function in (student.softmax, student.log_softmax):
        after = student.probe.mutated(function, x)["args"][0]
        expect_close(after, x, atol=0.0, misses=misses, what="x after the call")


@pytest.mark.task("m00.2")
@pytest.mark.holds("Example: logits [[0, ln 3], [0, ln 3]], targets [1, 0]: (ln(4/3) + ln 4) / 2.")
def test_two_rows_as_in_the_docstring(student):
    """Logits 0 and ln 3, with the second and then the first as target, give (ln(4/3) + ln 4) / 2."""
    logits = torch.tensor([[0.0, math.log(3)]] * 2)
    expected = torch.tensor((math.log(4 / 3) + math.log(4)) / 2)
    expect_loss(student, logits, torch.tensor([1, 0]), expected=expected)


@pytest.mark.task("m00.2")
@pytest.mark.holds("Return the mean over the batch of -ln(probability of the target).")
def test_the_loss_is_the_mean_over_the_batch(student, draw):
    """For batches of 1, 5 and 40 the loss is what torch's own cross-entropy gives."""
    for batch in (5, 1, 40):
        logits, targets = draw.normal(batch, 7, scale=2.0), draw.integers(0, 7, batch)
        expect_loss(student, logits, targets, expected=F.cross_entropy(logits, targets))


@pytest.mark.task("m00.2")
def test_equal_logits_cost_the_logarithm_of_the_vocabulary(student, draw):
    """Whoever finds all tokens equally likely pays ln(vocab_size), whatever the targets are."""
    for vocab_size in (2, 11, 300):
        logits, targets = draw.normal(6, 1).repeat(1, vocab_size), draw.integers(0, vocab_size, 6)
        expect_loss(student, logits, targets, expected=torch.tensor(math.log(vocab_size)))


@pytest.mark.task("m00.2")
def test_being_surely_wrong_costs_a_finite_amount(student, draw):
    """Where the target's logit lies 200 to 1000 below the best, the loss is that distance, and not infinite."""
    targets = draw.integers(0, 6, 5)
    logits = draw.normal(5, 6).scatter(1, targets[:, None], -200 - 800 * torch.rand(5, 1, generator=draw.generator))
    expect_loss(student, logits, targets)
    expect_loss(student, -logits, targets.flip(0))


@pytest.mark.task("m00.2")
def test_a_loss_in_float64_is_as_exact(student, draw):
    """Logits in float64 give a loss in float64, computed in float64 throughout."""
    logits, targets = draw.normal(5, 7), draw.integers(0, 7, 5)
    misses = oracle.cross_entropy_misses(logits.double(), targets)

    def loss(logits):
        return student.cross_entropy(logits, targets)

    expect_float64(loss, lambda logits: oracle.cross_entropy(logits, targets), logits, misses=misses, what="the loss")


@pytest.mark.task("m00.2")
@pytest.mark.holds(
    "Raises ValueError naming both shapes unless each row has one target, and naming the target and vocab_size "
    "when one is not in 0..vocab_size-1.",
)
def test_targets_of_another_shape_are_refused(student, draw):
    """Targets that are not one number for each of 13 rows raise ValueError with both shapes in its text."""
    for shape in ((13, 1), (17,), (1,)):
        args, sizes = (draw.normal(13, 29), draw.integers(0, 29, *shape)), (13, 29, *shape)
        expect_raises("ValueError", student.cross_entropy, *args, mentions=tuple(map(str, sizes)))


@pytest.mark.task("m00.2")
@pytest.mark.holds(
    "Raises ValueError naming both shapes unless each row has one target, and naming the target and vocab_size "
    "when one is not in 0..vocab_size-1.",
)
def test_a_target_outside_the_vocabulary_is_refused(student, draw):
    """A target below 0 or beyond the last of 29 tokens raises ValueError with it and vocab_size in its text."""
    for wrong in (-1, -100, 31, 29):
        targets = draw.integers(0, 29, 13)
        targets[draw.random.randrange(13)] = wrong
        expect_raises("ValueError", student.cross_entropy, draw.normal(13, 29), targets, mentions=(str(wrong), "29"))


@pytest.mark.task("m00.3")
@pytest.mark.holds(
    "Example: weight [[0], [0]], x [[2]], targets [1], learning_rate 0.5: loss ln 2, probabilities [1/2, 1/2], "
    "gradient [[1], [-1]], new weight [[-0.5], [0.5]].",
)
def test_one_number_as_in_the_docstring(student):
    """Zero weights, the input 2, the target 1 and a rate of 0.5 give the loss ln 2 and the weights -0.5 and 0.5."""
    new = expect_step(student, torch.zeros(2, 1), torch.tensor([[2.0]]), torch.tensor([1]), 0.5)
    expect_close(new, torch.tensor([[-0.5], [0.5]]), atol=FLOAT32_OP, what="the new weight")


@pytest.mark.task("m00.3")
@pytest.mark.holds(
    "Take one step down cross_entropy(x @ weight.T, targets): return (the loss before it, the weight after it).",
)
def test_the_step_is_the_one_that_autograd_takes(student, draw):
    """Loss and new weight are those of torch's cross-entropy, its backward pass and plain gradient descent."""
    for batch, learning_rate in ((9, 2.5), (9, 0.03), (1, 0.5)):
        expect_step(student, draw.normal(4, 6), draw.normal(batch, 6), draw.integers(0, 4, batch), learning_rate)


@pytest.mark.task("m00.3")
def test_twenty_steps_end_where_autograd_does(student, draw):
    """Twenty steps, each from the weight that the last one returned, end where autograd's gradients lead."""
    weight, x, targets = draw.normal(4, 6), draw.normal(9, 6), draw.integers(0, 4, 9)
    expected = weight.double()  # descended here by hand: torch.optim takes seconds to import
    for _ in range(20):
        weight = student.gradient_step(weight, x, targets, 0.5)[1]
        expect_tensor(weight, shape=(4, 6), dtype=torch.float32, what="the new weight")
        expected = oracle.gradient_step(expected, x, targets, 0.5)[1]
    expect_close(weight, expected.float(), atol=FLOAT32_MODEL, what="the weight after 20 steps")


@pytest.mark.task("m00.3")
def test_logits_of_hundreds_still_give_a_gradient(student, draw):
    """With weights so large that some probabilities are 0 and 1 in float32, loss and step are finite and right."""
    args = draw.normal(4, 6, scale=200.0), draw.normal(9, 6), draw.integers(0, 4, 9), 1.0
    expect_step(student, *args, atol=1e-2, rtol=1e-4)  # float32 rounds a logit of 1000 by 3e-5, and a sum more


@pytest.mark.task("m00.3")
def test_a_step_in_float64_is_as_exact(student, draw):
    """A weight and inputs in float64 give a loss and a weight in float64, computed in float64 throughout."""
    wide = {"dtype": torch.float64}
    weight, x, targets = draw.normal(4, 6, **wide), draw.normal(9, 6, **wide), draw.integers(0, 4, 9)
    expect_step(student, weight, x, targets, 0.7, atol=FLOAT64_CONSTANT, rtol=FLOAT64_CONSTANT)

    def step(x):
        return student.gradient_step(weight, x, targets, 0.7)[1]

    expect_float64(step, lambda x: oracle.gradient_step(weight, x, targets, 0.7)[1], x, what="the new weight")


@pytest.mark.task("m00.3")
@pytest.mark.holds("The gradient is by hand, and no argument changes.")
def test_the_step_leaves_its_arguments_alone(student, draw):
    """Weight, inputs and targets are the same after the call: the new weight is a new tensor."""
    args = draw.normal(4, 6), draw.normal(9, 6), draw.integers(0, 4, 9)
    after = student.probe.mutated(student.gradient_step, *args, 0.5)["args"]
    misses = {"the step is taken in place (-= or sub_): return a new tensor": oracle.gradient_step(*args, 0.5)[1]}
    # Near enough to tell a step that was taken in place, whose last digits depend on the order of sums.
    expect_close(after[0], args[0], atol=FLOAT32_OP, misses=misses, what="the weight after the call")
    expect_close(after[1], args[1], atol=0.0, what="x after the call")
    expect_equal(after[2], args[2], what="the targets after the call")
