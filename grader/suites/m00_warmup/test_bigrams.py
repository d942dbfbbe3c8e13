"""m00_warmup: bigrams, devices and a stopwatch."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    asked,
    counted,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_tensor,
)

from . import oracle, probes


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
@pytest.mark.holds("Example: [0, 1, 1, 1, 0] and 3 tokens: [[0, 1, 0], [1, 2, 0], [0, 0, 0]].")
def test_five_tokens_make_four_pairs(student):
    """The ids [0, 1, 1, 1, 0] hold one pair 0-1, two pairs 1-1 and one pair 1-0."""
    expect_counts(student, torch.tensor([0, 1, 1, 1, 0]), 3)


@pytest.mark.task("m00.4")
@pytest.mark.holds("Count how often token j comes right after token i, in row i and column j.")
def test_every_pair_of_a_text_is_counted(student, draw):
    """In texts of 300 random tokens every pair is counted as often as it occurs, first token by row."""
    for vocab_size in (1, 5, 30):
        ids = draw.integers(0, max(vocab_size - 2, 1), 300)
        expect_counts(student, ids, vocab_size)


@pytest.mark.task("m00.4")
@pytest.mark.holds("Fewer than two ids: zeros.", "The row of a token that nothing follows is uniform.")
def test_fewer_than_two_tokens_make_no_pair(student):
    """No token or one token gives a table of zeros, and uniform shares."""
    for ids in (torch.tensor([], dtype=torch.int64), torch.tensor([2])):
        expect_equal(student.count_bigrams(ids, 4), torch.zeros(4, 4, dtype=torch.int64), what="the table of counts")
        expect_shares(student, ids, 4)


@pytest.mark.task("m00.4")
@pytest.mark.holds("Raises ValueError naming the id and vocab_size when one is not in 0..vocab_size-1.")
def test_an_id_outside_the_vocabulary_is_refused(student, draw):
    """An id below 0 or beyond the last of 29 tokens raises ValueError with it and vocab_size in its text."""
    for wrong in (-1, 31, 29):
        ids = draw.integers(0, 29, 50)
        ids[draw.random.randrange(50)] = wrong
        expect_raises("ValueError", student.count_bigrams, ids, 29, mentions=(str(wrong), "29"))


@pytest.mark.task("m00.4")
@pytest.mark.holds("Example: [0, 1, 1, 1, 0] and 3 tokens: [[0, 1, 0], [1/3, 2/3, 0], [1/3, 1/3, 1/3]].")
def test_shares_as_in_the_docstring(student):
    """The ids [0, 1, 1, 1, 0] give the rows [0, 1, 0], [1/3, 2/3, 0] and, for the token never seen, thirds."""
    expect_shares(student, torch.tensor([0, 1, 1, 1, 0]), 3)


@pytest.mark.task("m00.4")
@pytest.mark.holds(
    "Return float32 probabilities of the next token: each row's counts as shares, unsmoothed.",
    "The row of a token that nothing follows is uniform.",
)
def test_each_row_is_shared_by_what_follows(student, draw):
    """Each row sums to 1, uniform for tokens never seen and for one that stands only at the very end."""
    ids = torch.cat([draw.integers(0, 6, 200), torch.tensor([6])])
    expect_shares(student, ids, 8)


@pytest.mark.task("m00.4")
@pytest.mark.holds(
    "From zero logits take exactly `steps` plain steps with your gradient_step, each on the mean cross-entropy "
    "of all pairs; a row that never occurs stays 0.",
    "Example: [0, 1, 0], 2 tokens, 1 step, learning_rate 4: [[-1, 1], [1, -1]].",
)
def test_training_is_plain_descent_from_zero(student, draw):
    """After 0, 1, 3 and 10 steps the logits are those of gradient descent on all pairs, begun at zero."""
    small, ids = (torch.tensor([0, 1, 0]), 2), (oracle.text(draw, 5, 60, 4), 5)
    for given, steps, rate in ((small, 1, 4.0), (ids, 1, 2.0), (ids, 3, 2.0), (ids, 10, 1.5), (ids, 0, 2.0)):
        expected, misses = oracle.train(oracle.count(*given), steps, rate), oracle.train_misses(*given, steps, rate)
        actual = student.bigram_by_training(*given, steps, rate)
        what = f"the table after {counted(steps, 'step')}"
        expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses, what=what)


@pytest.mark.task("m00.4")
@pytest.mark.holds("Learn the same table, on the ids' device: row i holds the float32 logits of what follows token i.")
@pytest.mark.warm("torch._dynamo")
def test_training_happens_where_the_ids_are(student, draw):
    """With the ids on another device, the table is made and trained there."""
    ids = oracle.text(draw, 5, 60, 4)
    actual = student.bigram_by_training(ids, 5, 1, 2.0)
    expect_close(actual, oracle.train(oracle.count(ids, 5), 1, 2.0), atol=FLOAT32_LAYER, what="the table after 1 step")
    mistake = "a tensor is made on the CPU, whatever device the ids are on"
    expect_one_device(student, student.bigram_by_training, [ids, 5, 1, 2.0], mistake=mistake)


@pytest.mark.task("m00.4")
@pytest.mark.holds("Learn the same table, on the ids' device: row i holds the float32 logits of what follows token i.")
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
    gap = float((oracle.softmax(logits) - expected).abs().max())
    achieve(f"After 300 steps your trained bigrams are the counted ones to within {max(gap, 1e-7):.0e}.")


@pytest.mark.task("m00.5")
@pytest.mark.holds(
    'Return the preferred device ("cuda:1" keeps its index), or else the first that is there of cuda, mps, cpu.',
    'available("cuda") and available("mps") say what is there; None: ask torch.',
)
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
@pytest.mark.holds(
    'Return the preferred device ("cuda:1" keeps its index), or else the first that is there of cuda, mps, cpu.',
)
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
@pytest.mark.holds("Raises ValueError naming what is not.")
def test_a_preference_that_is_not_there_is_refused(student):
    """A preferred device that is not available raises ValueError with its name, and never gives another one."""
    for name, there in (("cuda:1", "mps"), ("cuda", ""), ("mps", "cuda")):
        available = student.callback([there].__contains__, asked.of(str))
        expect_raises("ValueError", student.pick_device, name, available=available, mentions=(name,))


@pytest.mark.task("m00.5")
@pytest.mark.holds('available("cuda") and available("mps") say what is there; None: ask torch.')
def test_torch_is_asked_what_there_is(student):
    """Left out or None, `available` is what torch says of cuda and mps (which is played), and cpu can be preferred."""
    expect_equal(student.pick_device("cpu"), torch.device("cpu"), what="the device")
    expect_equal(student.pick_device("cpu", None), torch.device("cpu"), what="the device")
    pick = student.plant(probes).picked_with_stand_ins
    for there in ("", "cuda", "mps", "cuda mps"):
        args = student.pick_device, there.split()
        found = expect_answer(pick, *args, simpler=(*args, True), mistake=oracle.NO_AVAILABLE)
        if found is None:
            return  # it asked torch for more than the stand-ins have: no verdict
        best = (there.split() or ["cpu"])[0]
        misses = {oracle.ONE_ASKED if there == "mps" else oracle.NEVER_ASKS: ["cpu", "cpu"]}
        misses |= {oracle.TOO_EARLY["mps"]: ["mps"] * 2}
        what = f"the device without and with available=None, where torch has {there or 'no GPU'},"
        expect_equal(found, [best, best], misses=misses, what=what)


def measure(student, gpu, **options):
    """Time the work of a GPU that is played, with everything handed in."""
    wait, clock = student.callback(gpu.wait, *[asked.anything] * 2), student.callback(gpu.clock)
    return student.time_call(
        student.callback(gpu.call, *[asked.anything] * 2), synchronize=wait, clock=clock, **options
    )


@pytest.mark.task("m00.5")
@pytest.mark.holds(
    "Return the median seconds of `repeats` calls, after `warmup` calls that nobody times.",
    "An even number's median is the mean of the middle two.",
    "Example: a clock of 0, 1, 2, 9, 10, 13 and 3 repeats: 1, 7 and 3 seconds, so 3.0.",
)
def test_the_median_of_the_times_is_returned(student, draw):
    """Calls of 1, 7 and 3 seconds give 3.0; of an even number the middle two are averaged."""
    drawn = [draw.random.uniform(1, 60) for _ in range(7)]
    known = (((1.0, 7.0, 3.0), 3.0), ((2.0, 40.0, 4.0, 1.0), 3.0), ((6.0,), 6.0))
    for times, median in (*known, (tuple(drawn), sorted(drawn)[3])):
        gpu = oracle.Gpu(times)
        actual = measure(student, gpu, repeats=len(times), warmup=0)
        expect_close(actual, median, atol=FLOAT64, misses=oracle.time_misses(gpu, times), what=f"the time of {times}")


@pytest.mark.task("m00.5")
@pytest.mark.holds(
    "Return the median seconds of `repeats` calls, after `warmup` calls that nobody times.",
    "Each goes: synchronize(), clock(), function(), synchronize(), clock().",
)
def test_the_clock_is_read_when_the_device_is_idle(student):
    """Each timed call is: wait, read the clock, call, wait, read the clock; warm-up calls come before, untimed."""
    for warmup, repeats in ((3, 4), (1, 5), (0, 1)):
        gpu = oracle.Gpu([1.0] * 20)
        measure(student, gpu, warmup=warmup, repeats=repeats)
        calls, mistake = gpu.log.count("f"), oracle.order_mistake(gpu.log, warmup, repeats)
        said = f"function was called {counted(calls, 'time')}, expected {warmup} to warm up and {repeats} timed."
        expect(calls == warmup + repeats, said, mistake=mistake, evidence="measured")
        said = f"The calls were: {oracle.spelt(gpu.log)}."
        expect(oracle.in_order(gpu.log, warmup, repeats), said, mistake=mistake, evidence="measured")


@pytest.mark.task("m00.5")
def test_queued_work_is_waited_for(student):
    """On a device that only queues its work, the work's own time is measured, not that of queueing it."""
    times = (0.5, 0.25, 0.75)
    gpu = oracle.Gpu((9.0, *times), launch=0.001)
    actual = measure(student, gpu, device="cpu", repeats=3)
    misses = oracle.time_misses(gpu, times, (9.0,))
    expect_close(actual, 0.501, atol=FLOAT32_OP, misses=misses, what="the time")


@pytest.mark.task("m00.5")
def test_what_the_warm_up_left_behind_is_not_timed(student):
    """After three warm-up calls of 100 seconds each, still queued, one call of a second measures a second."""
    gpu = oracle.Gpu((100.0, 100.0, 100.0, 1.0))
    actual = measure(student, gpu, repeats=1, warmup=3)
    misses = oracle.time_misses(gpu, (1.0,), (100.0,) * 3)
    expect_close(actual, 1.0, atol=FLOAT32_OP, misses=misses, what="the time")


@pytest.mark.task("m00.5")
@pytest.mark.holds("None is the device's own synchronize (cuda, mps) or nothing.")
def test_one_warm_up_and_five_calls_are_the_default(student):
    """On the CPU, with synchronize left out or None, function is called six times and seconds come back, as a float."""
    for options in ({}, {"synchronize": None}):
        gpu = oracle.Gpu([])
        call, wait = student.callback(gpu.call, *[asked.anything] * 2), student.callback(oracle.Gpu([]).wait)
        simpler, unsaid = (options | {"synchronize": wait},), oracle.NO_SYNCHRONIZE
        found = expect_answer(lambda given: student.time_call(call, **given), options, simpler=simpler, mistake=unsaid)  # noqa: B023
        calls = len(gpu.log)
        mistake = "there is no warm-up" if calls == 5 else "there is no repetition" if calls == 2 else None
        expect(
            calls == 6,
            f"function was called {counted(calls, 'time')}, expected 1 + 5.",
            mistake=mistake,
            evidence="measured",
        )
        expect(isinstance(found, float) and 0 <= found < 60, f"The time is {found!r}, expected seconds as a float.")


@pytest.mark.task("m00.5")
@pytest.mark.holds("None is the device's own synchronize (cuda, mps) or nothing.")
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_gpu_is_waited_for_by_its_own_synchronize(student, device):
    """With synchronize left out or None, torch's own for that device is called before and after each timed call."""
    for options in ({}, {"synchronize": None}):
        log = student.plant(probes).timed_with_stand_ins(student.time_call, device, **options)
        if log is None:
            return  # it asked torch for more than the stand-ins have: no verdict
        waits = "".join(log).replace("f", " f ").split("f")
        order = f"waits (w) and calls (f) came in the order {''.join(log)!r}"
        said = f"With device={device!r}, synchronize {'None' if options else 'left out'} and two timed calls, {order}."
        enough = len(waits) == 3 and all("w" in gap for gap in waits)
        expect(enough, said, mistake=oracle.NEVER_WAITS if "w" not in log else None)


@pytest.mark.task("m00.5")
@pytest.mark.holds("Raises ValueError naming the number when repeats < 1 or warmup < 0.")
def test_impossible_numbers_of_calls_are_refused(student):
    """No repeats, or a negative number of anything, raise ValueError with the number in its text."""
    for options in ({"repeats": 0}, {"repeats": -3}, {"warmup": -1}, {"warmup": -3}):
        mentions = tuple(map(str, options.values()))
        expect_raises("ValueError", measure, student, oracle.Gpu([]), mentions=mentions, **options)
