"""m00_warmup: stable probabilities, a loss, a gradient by hand, a bigram model twice, and a stopwatch."""

import math

import pytest
import torch
import torch.nn.functional as F

from grader.judge import (
    FLOAT16,
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64,
    asked,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)

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
    expect_close(answer[1], weight, atol=atol, rtol=rtol, misses=weights, what="the new weight")
    expect_close(answer[0], loss, atol=atol, rtol=rtol, misses=losses, what="the loss")
    return answer[1]


@pytest.mark.task("m00.1")
def test_two_scores_as_in_the_docstring(student):
    """The scores 0 and ln 3 give 1/4 and 3/4, also with 1000 added to or taken from both."""
    right = torch.tensor([0.25, 0.75])
    for offset in (0.0, 1000.0, -1000.0):
        x = torch.tensor([0.0, math.log(3)]) + offset
        expect_softmax(student, x, atol=FLOAT32_MODEL, expected=right)  # float32 rounds 1001.1 by 3e-5
        expect_log_softmax(student, x, atol=FLOAT32_MODEL, expected=right.log())


@pytest.mark.task("m00.1")
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
        expect_log_softmax(student, scores, dim)


@pytest.mark.task("m00.1")
def test_scores_that_spread_widely_do_not_overflow(student, draw):
    """Scores some hundreds apart give finite results: the exponential of none of them exists in float32."""
    x = draw.normal(4, 9, scale=0.5) + 600.0 * draw.integers(-1, 2, 4, 9)
    x[:, :2] = draw.normal(4, 2) + 600.0  # two that share most of each row
    expect_softmax(student, x, atol=1e-8, rtol=1e-4)
    expect_log_softmax(student, x, atol=FLOAT32_MODEL)


@pytest.mark.task("m00.1")
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
def test_log_softmax_knows_what_softmax_rounds_to_zero(student, draw):
    """Scores 200 to 1000 below the largest have log-probabilities of about -200 to -1000, not minus infinity."""
    expect_log_softmax(student, torch.tensor([0.0, 1000.0]), expected=torch.tensor([-1000.0, 0.0]))
    x = -200.0 - 800 * torch.rand(4, 7, generator=draw.generator)
    x[:, 3] = draw.normal(4)
    expect_log_softmax(student, x)


@pytest.mark.task("m00.1")
def test_other_dtypes_go_in_and_come_out(student, draw):
    """Scores in float64 and in float16 are returned as they came, as exact as they allow."""
    for dtype, atol, rtol in ((torch.float64, FLOAT64, 0.0), (torch.float16, FLOAT16 / 4, 5e-3)):
        x = draw.integers(-4, 5, 4, 6).to(dtype) / 4 + 20  # exact in float16, where e to the 20 is infinite
        expect_softmax(student, x, atol=atol, rtol=rtol)
        expect_log_softmax(student, x, atol=FLOAT16 if rtol else atol, rtol=rtol)


@pytest.mark.task("m00.1")
def test_scores_stay_as_they_were(student, draw):
    """The scores are the same after the call as before it."""
    x = draw.normal(4, 6) + 3
    misses = {"the scores are shifted in place (-= or sub_)": x - x.amax(-1, keepdim=True)}
    for function in (student.softmax, student.log_softmax):
        after = student.probe.mutated(function, x)["args"][0]
        expect_close(after, x, atol=0.0, misses=misses, what="x after the call")


@pytest.mark.task("m00.2")
def test_two_rows_as_in_the_docstring(student):
    """Logits 0 and ln 3, with the second and then the first as target, give (ln(4/3) + ln 4) / 2."""
    logits = torch.tensor([[0.0, math.log(3)]] * 2)
    expected = torch.tensor((math.log(4 / 3) + math.log(4)) / 2)
    expect_loss(student, logits, torch.tensor([1, 0]), expected=expected)


@pytest.mark.task("m00.2")
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
    """Logits in float64 give a loss in float64, exact to ten digits."""
    expect_loss(student, draw.normal(5, 7, dtype=torch.float64), draw.integers(0, 7, 5), atol=FLOAT64, rtol=0.0)


@pytest.mark.task("m00.2")
def test_targets_of_another_shape_are_refused(student, draw):
    """Targets that are not one number for each of 13 rows raise ValueError with both shapes in its text."""
    for shape in ((13, 1), (17,), (1,)):
        args, sizes = (draw.normal(13, 29), draw.integers(0, 29, *shape)), (13, 29, *shape)
        expect_raises("ValueError", student.cross_entropy, *args, mentions=tuple(map(str, sizes)))


@pytest.mark.task("m00.2")
def test_a_target_outside_the_vocabulary_is_refused(student, draw):
    """A target below 0 or beyond the last of 29 tokens raises ValueError with it and vocab_size in its text."""
    for wrong in (-1, -100, 31, 29):
        targets = draw.integers(0, 29, 13)
        targets[draw.random.randrange(13)] = wrong
        expect_raises("ValueError", student.cross_entropy, draw.normal(13, 29), targets, mentions=(str(wrong), "29"))


@pytest.mark.task("m00.3")
def test_one_number_as_in_the_docstring(student):
    """Zero weights, the input 2, the target 1 and a rate of 0.5 give the loss ln 2 and the weights -0.5 and 0.5."""
    new = expect_step(student, torch.zeros(2, 1), torch.tensor([[2.0]]), torch.tensor([1]), 0.5)
    expect_close(new, torch.tensor([[-0.5], [0.5]]), atol=FLOAT32_OP, what="the new weight")


@pytest.mark.task("m00.3")
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
    """A weight and inputs in float64 give a loss and a weight in float64, exact to ten digits."""
    wide = {"dtype": torch.float64}
    args = draw.normal(4, 6, **wide), draw.normal(9, 6, **wide), draw.integers(0, 4, 9), 0.7
    expect_step(student, *args, atol=FLOAT64, rtol=0.0)


@pytest.mark.task("m00.3")
def test_the_step_leaves_its_arguments_alone(student, draw):
    """Weight, inputs and targets are the same after the call: the new weight is a new tensor."""
    args = draw.normal(4, 6), draw.normal(9, 6), draw.integers(0, 4, 9)
    after = student.probe.mutated(student.gradient_step, *args, 0.5)["args"]
    misses = {"the step is taken in place (-= or sub_): return a new tensor": oracle.gradient_step(*args, 0.5)[1]}
    expect_close(after[0], args[0], atol=0.0, misses=misses, what="the weight after the call")
    expect_close(after[1], args[1], atol=0.0, what="x after the call")
    expect_equal(after[2], args[2], what="the targets after the call")


def expect_counts(student, ids, vocab_size):
    """Compare the student's counts with the reference and with the near misses."""
    misses = oracle.count_misses(ids, vocab_size)
    expect_equal(
        student.count_bigrams(ids, vocab_size), oracle.count(ids, vocab_size), misses=misses, what="the table of counts"
    )


def expect_shares(student, ids, vocab_size):
    """Compare the student's shares with the reference and with the near misses."""
    actual, expected = student.bigram_by_counting(ids, vocab_size), oracle.shares(oracle.count(ids, vocab_size))
    expect_close(actual, expected, atol=FLOAT32_OP, misses=oracle.share_misses(ids, vocab_size))


@pytest.mark.task("m00.4")
def test_five_tokens_make_four_pairs(student):
    """The ids [0, 1, 1, 1, 0] hold one pair 0-1, two pairs 1-1 and one pair 1-0."""
    expect_counts(student, torch.tensor([0, 1, 1, 1, 0]), 3)


@pytest.mark.task("m00.4")
def test_every_pair_of_a_text_is_counted(student, draw):
    """In texts of 300 random tokens every pair is counted as often as it occurs, first token by row."""
    for vocab_size in (1, 5, 30):
        ids = draw.integers(0, max(vocab_size - 2, 1), 300)
        expect_counts(student, ids, vocab_size)


@pytest.mark.task("m00.4")
def test_fewer_than_two_tokens_make_no_pair(student):
    """No token or one token gives a table of zeros, and uniform shares."""
    for ids in (torch.tensor([], dtype=torch.int64), torch.tensor([2])):
        expect_equal(student.count_bigrams(ids, 4), torch.zeros(4, 4, dtype=torch.int64), what="the table of counts")
        expect_shares(student, ids, 4)


@pytest.mark.task("m00.4")
def test_an_id_outside_the_vocabulary_is_refused(student, draw):
    """An id below 0 or beyond the last of 29 tokens raises ValueError with it and vocab_size in its text."""
    for wrong in (-1, 31, 29):
        ids = draw.integers(0, 29, 50)
        ids[draw.random.randrange(50)] = wrong
        expect_raises("ValueError", student.count_bigrams, ids, 29, mentions=(str(wrong), "29"))


@pytest.mark.task("m00.4")
def test_shares_as_in_the_docstring(student):
    """The ids [0, 1, 1, 1, 0] give the rows [0, 1, 0], [1/3, 2/3, 0] and, for the token never seen, thirds."""
    expect_shares(student, torch.tensor([0, 1, 1, 1, 0]), 3)


@pytest.mark.task("m00.4")
def test_each_row_is_shared_by_what_follows(student, draw):
    """Each row sums to 1, uniform for tokens never seen and for one that stands only at the very end."""
    ids = torch.cat([draw.integers(0, 6, 200), torch.tensor([6])])
    expect_shares(student, ids, 8)


@pytest.mark.task("m00.4")
def test_training_is_plain_descent_from_zero(student, draw):
    """After 0, 1, 3 and 10 steps the logits are those of gradient descent on all pairs, begun at zero."""
    small, ids = (torch.tensor([0, 1, 0]), 2), (oracle.text(draw, 5, 60, 4), 5)
    for given, steps, rate in ((small, 1, 4.0), (ids, 1, 2.0), (ids, 3, 2.0), (ids, 10, 1.5), (ids, 0, 2.0)):
        expected, misses = oracle.train(oracle.count(*given), steps, rate), oracle.train_misses(*given, steps, rate)
        actual = student.bigram_by_training(*given, steps, rate)
        expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses, what=f"the table after {steps} steps")


@pytest.mark.task("m00.4")
@pytest.mark.warm("torch._dynamo")
def test_training_happens_where_the_ids_are(student, draw):
    """With the ids on another device, the table is made and trained there."""
    ids = oracle.text(draw, 5, 60, 4)
    actual = student.bigram_by_training(ids, 5, 1, 2.0)
    expect_close(actual, oracle.train(oracle.count(ids, 5), 1, 2.0), atol=FLOAT32_LAYER, what="the table after 1 step")
    report = student.probe.fake_device(student.bigram_by_training, [ids, 5, 1, 2.0])
    mistake = "a tensor is made on the CPU, whatever device the ids are on"
    expect(report["verdict"] != "mismatch", f"On another device: {report['message']}", mistake=mistake)


@pytest.mark.task("m00.4")
def test_counting_and_training_reach_the_same_distribution(student, draw):
    """After 300 steps the softmax of the logits is the table of shares, within 0.0001."""
    ids = oracle.text(draw, 4, 200, 4)  # every pair occurs: what never does goes to 0 only as fast as 1 / steps
    expected = oracle.shares(oracle.count(ids, 4))
    expect_shares(student, ids, 4)
    logits = student.bigram_by_training(ids, 4, 300, 8.0)
    expect_tensor(logits, shape=(4, 4), dtype=torch.float32, what="the logits")
    swapped = oracle.softmax(oracle.train(oracle.count(ids, 4), 300, 8.0).T)
    misses = {"the table is transposed: row i holds what follows token i": swapped}
    expect_close(oracle.softmax(logits), expected, atol=FLOAT32_MODEL, misses=misses, what="the trained table")


@pytest.mark.task("m00.5")
def test_the_best_device_is_cuda_then_mps_then_cpu(student):
    """Without a preference the first of cuda, mps and cpu that is available is picked, as a torch.device."""
    for there, best in (("cuda mps", "cuda"), ("cuda", "cuda"), ("mps", "mps"), ("", "cpu")):
        known = there.split()
        actual = student.pick_device(available=student.callback(known.__contains__, asked.of(str)))
        misses = {"this is the device's name: return a torch.device": best} | {
            oracle.TOO_EARLY[kind]: torch.device(kind) for kind in ("mps", "cpu")
        }
        expect_equal(actual, torch.device(best), misses=misses, what=f"the device where there is {there or 'no GPU'}")


@pytest.mark.task("m00.5")
def test_a_preference_comes_first(student):
    """A preferred device that is available is picked, its index kept, whatever else there is."""
    for name in ("cpu", "mps", "cuda", "cuda:1"):
        actual = student.pick_device(name, available=student.callback(("cuda", "mps").__contains__, asked.of(str)))
        misses = {
            "the index is lost": torch.device(name.partition(":")[0]),
            "the preference is not looked at": torch.device("cuda"),
        }
        expect_equal(actual, torch.device(name), misses=misses, what=f"the device for {name!r}")


@pytest.mark.task("m00.5")
def test_a_preference_that_is_not_there_is_refused(student):
    """A preferred device that is not available raises ValueError with its name, and never gives another one."""
    for name, there in (("cuda:1", "mps"), ("cuda", ""), ("mps", "cuda")):
        available = student.callback([there].__contains__, asked.of(str))
        expect_raises("ValueError", student.pick_device, name, available=available, mentions=(name,))


@pytest.mark.task("m00.5")
def test_torch_is_asked_what_there_is(student):
    """With no arguments at all the device is one that torch has here, and cpu can always be preferred."""
    found = student.pick_device()
    known = type(found) is torch.device and found.type in ("cpu", "cuda", "mps")
    expect(known, f"pick_device() gave {found!r}, expected a torch.device: cpu, cuda or mps.")
    expect_equal(student.pick_device("cpu"), torch.device("cpu"), what="the device")


def measure(student, gpu, **options):
    """Time the work of a GPU that is played, with everything handed in."""
    wait, clock = student.callback(gpu.wait, *[asked.anything] * 2), student.callback(gpu.clock)
    return student.time_call(
        student.callback(gpu.call, *[asked.anything] * 2), synchronize=wait, clock=clock, **options
    )


@pytest.mark.task("m00.5")
def test_the_median_of_the_times_is_returned(student, draw):
    """Calls of 1, 7 and 3 seconds give 3.0; of an even number the middle two are averaged."""
    drawn = [draw.random.uniform(1, 60) for _ in range(7)]
    known = (((1.0, 7.0, 3.0), 3.0), ((2.0, 40.0, 4.0, 1.0), 3.0), ((6.0,), 6.0))
    for times, median in (*known, (tuple(drawn), sorted(drawn)[3])):
        actual = measure(student, oracle.Gpu(times), repeats=len(times), warmup=0)
        expect_close(actual, median, atol=FLOAT64, misses=oracle.time_misses(times), what=f"the time of {times}")


@pytest.mark.task("m00.5")
def test_the_clock_is_read_when_the_device_is_idle(student):
    """Each timed call is: wait, read the clock, call, wait, read the clock; warm-up calls come before, untimed."""
    for warmup, repeats in ((3, 4), (1, 5), (0, 1)):
        gpu = oracle.Gpu([1.0] * 20)
        measure(student, gpu, warmup=warmup, repeats=repeats)
        calls, mistake = gpu.log.count("f"), oracle.order_mistake(gpu.log, warmup, repeats)
        said = f"There were {calls} calls of function, expected {warmup} to warm up and {repeats} that are timed."
        expect(calls == warmup + repeats, said, mistake=mistake, evidence="measured")
        said = f"The calls were: {oracle.spelt(gpu.log)}."
        expect(oracle.in_order(gpu.log, warmup, repeats), said, mistake=mistake, evidence="measured")


@pytest.mark.task("m00.5")
def test_queued_work_is_waited_for(student):
    """On a device that only queues its work, the work's own time is measured, not that of queueing it."""
    times = (0.5, 0.25, 0.75)
    actual = measure(student, oracle.Gpu((9.0, *times), launch=0.001), device="cpu", repeats=3)
    misses = oracle.time_misses(times, (9.0,), 0.001)
    expect_close(actual, 0.501, atol=FLOAT32_OP, misses=misses, what="the time")


@pytest.mark.task("m00.5")
def test_what_the_warm_up_left_behind_is_not_timed(student):
    """After three warm-up calls of 100 seconds each, still queued, one call of a second measures a second."""
    actual = measure(student, oracle.Gpu((100.0, 100.0, 100.0, 1.0)), repeats=1, warmup=3)
    misses = oracle.time_misses((1.0,), (100.0,) * 3)
    expect_close(actual, 1.0, atol=FLOAT32_OP, misses=misses, what="the time")


@pytest.mark.task("m00.5")
def test_one_warm_up_and_five_calls_are_the_default(student):
    """On the CPU, with nothing handed in, function is called six times and some seconds come back, as a float."""
    gpu = oracle.Gpu([])
    found = student.time_call(student.callback(gpu.call, *[asked.anything] * 2))
    calls = len(gpu.log)
    expect(calls == 6, f"There were {calls} calls, expected 1 + 5.", evidence="measured")
    expect(type(found) is float and 0 <= found < 60, f"The time is {found!r}, expected seconds as a float.")


@pytest.mark.task("m00.5")
def test_impossible_numbers_of_calls_are_refused(student):
    """No repeats, or a negative number of anything, raise ValueError with the number in its text."""
    for options in ({"repeats": 0}, {"repeats": -3}, {"warmup": -1}, {"warmup": -3}):
        mentions = tuple(map(str, options.values()))
        expect_raises("ValueError", measure, student, oracle.Gpu([]), mentions=mentions, **options)
