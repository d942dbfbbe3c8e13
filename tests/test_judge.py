"""The judge's parts, one by one: comparisons, draws, outcomes, points, progress, submissions and checkpoints."""

from __future__ import annotations

import json
import math
import os
import socket
from pathlib import Path

import numpy as np
import pytest
import support
import torch
from safetensors.torch import save_file

from grader import record, syllabus
from grader.judge import compare
from grader.judge.compare import expect, expect_close, expect_equal, expect_raises, expect_tensor
from grader.judge.draw import Draw
from grader.judge.oracles import Weights, WeightsError
from grader.judge.outcomes import CheckFailed, GraderError, verdict
from grader.judge.run import Options, Planned, Run, earned
from grader.progress import Progress, key
from grader.sandbox.conversation import Handle
from grader.sandbox.errors import SandboxError, StudentError, WorkerLost
from grader.sandbox.limits import Limits
from grader.submission import Submission, SubmissionError, collect

ONES = torch.ones(2, 3)


@pytest.fixture(autouse=True)
def _evidence():
    """Start every test without evidence."""
    compare.evidence.clear()


def refused(function, *args, **kwargs):
    """Call a comparison that must fail, and return the failure."""
    with pytest.raises(CheckFailed) as caught:
        function(*args, **kwargs)
    return caught.value


def handle():
    """Return something that stayed in the worker."""
    return Handle(None, 1, "exercises.Secret", False)


# ── expect_tensor ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tensor_of_the_right_kind_is_accepted():
    """expect_tensor accepts this dtype and shape; what it saw is no more than a claim."""
    expect_tensor(ONES, shape=(2, 3), dtype=torch.float32)

    assert compare.evidence == {record.CLAIM}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "The result is None, expected a float32 tensor of shape [2, 3]."),
        (0.5, "The result is the float 0.5, expected a float32 tensor of shape [2, 3]."),
        ([[1.0] * 3] * 2, "a list of 2 items"),
        (np.ones((2, 3), dtype=np.float32), "a NumPy float32 array of shape [2, 3]"),
        (torch.nn.Parameter(ONES), "a float32 tensor of shape [2, 3]"),
        (torch.ones(3, 2), "The result has shape [3, 2], expected [2, 3]."),
        (torch.ones(2, 3, dtype=torch.float64), "The result has dtype float64, expected float32."),
    ],
    ids=["none", "float", "list", "numpy", "parameter", "shape", "dtype"],
)
def test_anything_else_than_the_tensor_is_named(value, said):
    """expect_tensor says what came back instead: its type, its shape or its dtype."""
    assert said in refused(expect_tensor, value, shape=(2, 3), dtype=torch.float32).message


def test_what_stayed_in_the_worker_is_no_tensor():
    """A handle never passes for a tensor, and is named by the type that the worker claims for it."""
    failure = refused(expect_tensor, handle(), shape=(2, 3), dtype=torch.float32)

    assert "an object of type exercises.Secret" in failure.message


# ── expect_close ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_close_values_are_accepted():
    """Values within the tolerance pass, tensors and floats alike, and are evidence."""
    expect_close(ONES + 5e-4, ONES, atol=1e-3)
    expect_close(0.25 + 1e-12, 0.25, atol=1e-9)

    assert record.VALUE in compare.evidence


def test_a_difference_is_located():
    """A failure says how large the largest difference is, where, what came and what was expected."""
    actual = ONES.clone()
    actual[1, 2] = 1.5
    actual[0, 1] = 0.75

    first, second, got, expected = refused(
        expect_close, actual, ONES, atol=1e-3, what="the weights"
    ).message.splitlines()

    assert first == (
        "The weights differs from what is expected by up to 0.5 at [1, 2]: got 1.5, expected 1 (allowed: 0.001)."
    )
    assert second == "2 of 6 values are off."
    assert got.startswith("got: ") and "1.5" in got
    assert expected.startswith("expected: ") and "1.5" not in expected


def test_an_excerpt_shows_the_place_of_the_difference():
    """However large a tensor is, the excerpts of what came and what was expected differ."""
    actual = torch.ones(3, 40, 50)
    actual[2, 31, 44] = 7.0

    *_, got, expected = refused(expect_close, actual, torch.ones(3, 40, 50), atol=1e-3).message.splitlines()

    assert "7" in got.rpartition("=")[2]
    assert "7" not in expected.rpartition("=")[2]


def test_a_relative_tolerance_counts_too():
    """What is allowed is atol plus rtol times the expected magnitude."""
    expect_close(torch.tensor([100.0, 100.5]), torch.tensor([100.0, 100.0]), atol=0.0, rtol=0.01)

    refused(expect_close, torch.tensor([100.0, 102.0]), torch.tensor([100.0, 100.0]), atol=0.0, rtol=0.01)


@pytest.mark.parametrize(
    "actual",
    [torch.tensor(1.0), torch.ones(3), torch.ones(1, 3), torch.ones(2, 1), torch.ones(1, 2, 3)],
    ids=lambda value: str(list(value.shape)),
)
def test_broadcasting_never_passes(actual):
    """A tensor that would broadcast to the expected one has the wrong shape, and fails."""
    assert "has shape" in refused(expect_close, actual, ONES, atol=1e-3).message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_never_pass(value):
    """NaN and infinities fail, and the first place is named."""
    actual = ONES.clone()
    actual[1, 0] = value

    message = refused(expect_close, actual, ONES, atol=1e-3).message

    assert message.startswith(f"The result is not finite: {value} at [1, 0].")


def test_a_lone_number_that_is_not_finite_has_no_place():
    """Of a NaN that came instead of one number nothing is said about where it stands."""
    first = refused(expect_close, math.nan, 1.0, atol=1e-3).message.splitlines()[0]

    assert first == "The result is not finite: nan."


@pytest.mark.parametrize("value", [1, True, None, "1.0", torch.tensor(1.0), np.float32(1.0)], ids=repr)
def test_a_float_is_a_float(value):
    """Where a float is expected, no integer, boolean, string, tensor or NumPy scalar will do."""
    assert "expected a float" in refused(expect_close, value, 1.0, atol=1e-3).message


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64, torch.bool])
def test_another_dtype_is_wrong_however_close(dtype):
    """Equal numbers in another dtype fail."""
    assert "has dtype" in refused(expect_close, ONES.to(dtype), ONES, atol=1e-3).message


def test_a_near_miss_is_named():
    """The mistake whose value is just what came back is named; it may be a value or a function, called on failure."""
    right, halved, squared = torch.tensor([2.0, 6.0]), torch.tensor([1.0, 3.0]), torch.tensor([4.0, 36.0])
    misses = {"it is halved": halved, "it is squared": lambda: squared}

    assert refused(expect_close, halved, right, atol=1e-3, misses=misses).mistake == "it is halved"
    assert refused(expect_close, squared, right, atol=1e-3, misses=misses).mistake == "it is squared"
    assert refused(expect_close, right + 1, right, atol=1e-3, misses=misses).mistake is None


def test_a_near_miss_may_be_nan_or_of_another_shape():
    """A mistake that gives NaN, or the right numbers in the wrong shape, is recognised as well."""
    right, broken = torch.tensor([2.0, 6.0]), torch.tensor([2.0, math.nan])
    misses = {"it divides by zero": broken, "a new axis is left": right[None]}

    assert refused(expect_close, broken.clone(), right, atol=1e-3, misses=misses).mistake == "it divides by zero"
    assert refused(expect_close, right[None], right, atol=1e-3, misses=misses).mistake == "a new axis is left"


def test_a_mistake_that_changes_nothing_here_is_not_named():
    """A near miss that is within the tolerance of what is expected is passed over, for these inputs can't show it."""
    right = torch.tensor([2.0, 6.0])
    misses = {"harmless here": right + 0.0009, "the real one": lambda: right + 0.0016}

    assert refused(expect_close, right + 0.0015, right, atol=1e-3, misses=misses).mistake == "the real one"


@pytest.mark.parametrize(
    ("atol", "rtol"), [(0.02, 0.0), (0.0, 0.02), (math.inf, 0.0), (math.nan, 0.0)], ids=["atol", "rtol", "inf", "nan"]
)
def test_a_tolerance_that_tells_nothing_is_the_graders_fault(atol, rtol):
    """A tolerance of more than 1 % of the median expected magnitude raises GraderError, also when values agree."""
    with pytest.raises(GraderError, match="tolerance"):
        expect_close(ONES, ONES, atol=atol, rtol=rtol)


def test_an_expected_value_that_is_not_finite_is_the_graders_fault():
    """An expected NaN raises GraderError instead of failing the student."""
    with pytest.raises(GraderError, match="not finite"):
        expect_close(ONES, ONES * math.nan, atol=1e-3)


def test_a_near_miss_that_cannot_be_computed_is_the_graders_fault():
    """An exception in the grader's own near miss raises GraderError: the student's value had nothing to do with it."""

    def broken():
        raise RuntimeError("shapes do not fit")

    with pytest.raises(GraderError):
        expect_close(ONES * 2, ONES, atol=1e-3, misses={"never named": broken})


# ── expect_equal ──────────────────────────────────────────────────────────────────────────────────────────────────────

SAME = [
    None,
    3,
    "text",
    b"\xff",
    [1, [2, (3,)]],
    {"a": [1], 2: b"x"},
    {1, 2},
    torch.arange(3),
    torch.tensor([True, False]),
]


@pytest.mark.parametrize("value", SAME, ids=repr)
def test_equal_values_are_accepted(value):
    """expect_equal accepts the same value of the same type, however nested, and this is evidence."""
    expect_equal(value, value.clone() if isinstance(value, torch.Tensor) else value)

    assert compare.evidence == {record.VALUE}


@pytest.mark.parametrize(
    ("actual", "expected", "said"),
    [
        (True, 1, "The result is True, expected the int 1."),
        (1, 1.0, "The result is the int 1, expected the float 1.0."),
        ([1, 2], (1, 2), "The result is a list of 2 items, [1, 2], expected a tuple of 2 items, (1, 2)."),
        ("a", b"a", "The result is the str 'a', expected the bytes b'a'."),
        ([1, True], [1, 1], "The result is True at [1], expected the int 1."),
        ([1, 2, 3], [1, 2], "The result has 3 items, expected 2; they agree up to there."),
        ([1, 2, 4], [1, 2, 3], "The result is 4 at [2], expected 3."),
        ({1: 1, 2: 2}, {1: 1, 2: 2, 3: 3}, "The result lacks the key 3 (2 items, expected 3)."),
        ({"a": 1, "z": 0}, {"a": 1}, "The result has the key 'z' too many (2 items, expected 1)."),
        ({"a": [1, 2]}, {"a": [1, 3]}, "The result is 2 at ['a'][1], expected 3."),
        ({1}, {2}, "The result is {1}, expected {2}."),
        (np.int64(3), 3, "The result is a NumPy int64 array of shape [], expected the int 3."),
        (torch.tensor([1, 2]), [1, 2], "int64 tensor of shape [2], expected a list"),
        (torch.tensor([1.0]), torch.tensor([1]), "is a float32 tensor of shape [1], expected"),
        (torch.tensor([[1, 2]]), torch.tensor([1, 2]), "int64 tensor of shape [2]."),
        (torch.tensor([1, 5, 6]), torch.tensor([1, 2, 3]), "in 2 of 3 values, first at [1]: got 5, expected 2."),
    ],
    ids=lambda value: None if isinstance(value, torch.Tensor) else repr(value)[:40],
)
def test_a_difference_is_said_in_one_sentence(actual, expected, said):
    """Types count (True is not 1, a list is no tuple), and the first difference is located."""
    failure = refused(expect_equal, actual, expected)

    assert said in failure.message.splitlines()[0]


def test_a_handle_is_equal_to_nothing():
    """What stayed in the worker equals no value."""
    assert "an object of type exercises.Secret" in refused(expect_equal, handle(), [1]).message
    assert "an object of type exercises.Secret" in refused(expect_equal, [handle()], [1]).message


def test_a_difference_deep_in_a_long_list_is_shown_around_its_place():
    """The excerpt of a long list shows the items around the first difference."""
    expected = list(range(1000, 1500))
    actual = [*expected[:321], 7, *expected[322:]]

    first, got, wanted = refused(expect_equal, actual, expected).message.splitlines()

    assert "at [321]" in first
    assert got == "got:      … [1317, 1318, 1319, 1320, 7, 1322, 1323, 1324, 1325, 1326, 1327, 1328]"
    assert "1321" in wanted


def test_an_exact_near_miss_is_named():
    """expect_equal names the mistake that gives exactly what came back, types included."""
    misses = {"it starts at 1": [1, 2, 3], "one is missing": lambda: [0, 1]}

    assert refused(expect_equal, [1, 2, 3], [0, 1, 2], misses=misses).mistake == "it starts at 1"
    assert refused(expect_equal, [0, 1], [0, 1, 2], misses=misses).mistake == "one is missing"
    assert refused(expect_equal, [True, 2, 3], [0, 1, 2], misses=misses).mistake is None


def test_a_huge_value_makes_a_short_message():
    """However much came back, a message quotes a line of it."""
    for value in ("x" * 10**6, list(range(10**5)), dict.fromkeys(range(10**4), "y" * 99), 10**4000):
        assert len(refused(expect_equal, value, None).message) < 400


# ── expect and expect_raises ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_condition_is_a_claim_unless_said_otherwise():
    """A condition passes or fails with the given words, and its evidence is what the check says it is."""
    expect(True, "never said")
    assert compare.evidence == {record.CLAIM}

    failure = refused(expect, False, "it leaks", mistake="the mask is missing", evidence=record.MEASURED)

    assert (failure.message, failure.mistake) == ("it leaks", "the mask is missing")
    assert record.MEASURED in compare.evidence


def raising(kind="ValueError", text="12 does not divide 5", bases=("ValueError", "Exception")):
    """Return a function that raises as a student's does."""

    def call(*_args, **_kwargs):
        raise StudentError(kind, list(bases), text)

    return call


def test_an_expected_exception_is_accepted():
    """The exception asked for, or one derived from it, passes when its text mentions the words; it is only a claim."""
    expect_raises("ValueError", raising(), mentions=("12", "5"))
    expect_raises("ValueError", raising("ShapeError", bases=("ShapeError", "ValueError", "Exception")))

    assert compare.evidence == {record.CLAIM}


def test_no_exception_another_one_or_other_words_fail():
    """A call that returns, raises something else or says too little fails, each in one sentence."""
    returned = refused(expect_raises, "ValueError", lambda: [1, 2]).message
    other = refused(expect_raises, "ValueError", raising("KeyError", "'x'", ("KeyError", "LookupError"))).message
    silent = refused(expect_raises, "ValueError", raising(text="no"), mentions=("12", "5")).message

    assert returned == "The call returned a list of 2 items, [1, 2]; expected it to raise ValueError."
    assert other == "The call raised KeyError: 'x'; expected ValueError."
    assert silent == "The ValueError says 'no'; expected its text to mention 12, 5."


def test_a_stub_is_not_a_wrong_exception():
    """The stub's own NotImplementedError passes through expect_raises, so that the task counts as not started."""
    with pytest.raises(StudentError):
        expect_raises("ValueError", raising("NotImplementedError", "m04.2", ("NotImplementedError", "RuntimeError")))


# ── draw ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def values(seed, check):
    """Return a bit of everything that a stream gives."""
    draw = Draw(seed, check)
    tensors = [draw.normal(2, 3), draw.integers(0, 1000, 5), draw.permutation(9)]
    return [*(tensor.tolist() for tensor in tensors), draw.random.random()]


def test_a_draw_depends_on_seed_and_check_alone():
    """The same seed and check give the same values; another seed or another check gives others in every stream."""
    first = values("0", "m04_attention::test_a")

    assert values("0", "m04_attention::test_a") == first
    for other in (values("1", "m04_attention::test_a"), values("0", "m04_attention::test_b")):
        assert all(mine != theirs for mine, theirs in zip(first, other, strict=True))


def test_draws_have_the_types_that_are_promised():
    """Normal values are float32 (or what is asked for) and scaled, integers stay in range, a permutation is one."""
    draw = Draw("0", "types")

    assert draw.normal(4, 5).dtype == torch.float32
    assert draw.normal(4, 5, dtype=torch.float64).shape == (4, 5)
    assert 2.7 < float(draw.normal(4000, scale=3.0).std()) < 3.3
    assert set(draw.integers(2, 5, 500).tolist()) == {2, 3, 4}
    assert sorted(draw.permutation(7).tolist()) == list(range(7))


# ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

LIMITS = Limits(seconds=2.5, memory_mb=300, processes=8, output_kb=16)


@pytest.mark.parametrize(
    ("error", "outcome", "said"),
    [
        (CheckFailed("it is off by one"), record.FAILED, "it is off by one"),
        (AssertionError(""), record.FAILED, "The check failed."),
        (StudentError("ValueError", ["ValueError"], "no"), record.FAILED, "Your code raised ValueError: no"),
        (StudentError("KeyError", [], "'wte'", [("m06_gpt.py", 3, "get")], "state"), record.FAILED, "Your code raised"),
        (StudentError("NotImplementedError", [], "m04.2"), record.NOT_STARTED, "Not implemented yet."),
        (StudentError("NotImplementedError", [], ""), record.NOT_STARTED, "Not implemented yet."),
        (StudentError("NotImplementedError", [], "m04.1"), record.BLOCKED, "m04.1 is not implemented yet."),
        (StudentError("MemoryError", ["MemoryError"]), record.OUT_OF_MEMORY, "more memory than it may use"),
        (
            StudentError("RuntimeError", ["RuntimeError"], "DefaultCPUAllocator: can't allocate memory"),
            record.OUT_OF_MEMORY,
            "more memory than it may use",
        ),
        (StudentError("SystemExit", ["SystemExit"], "0"), record.CRASHED, "Your code ended the process (sys.exit)."),
        (WorkerLost(limit="time"), record.TIMED_OUT, "Your code did not finish within 2.5 s."),
        (WorkerLost(limit="memory"), record.OUT_OF_MEMORY, "more than 300 MB"),
        (WorkerLost(limit="processes"), record.CRASHED, "more than 8 processes"),
        (WorkerLost(limit="output"), record.FAILED, "more than 16 kB"),
        (WorkerLost(exit_code=0), record.CRASHED, "exit code 0"),
        (WorkerLost(exit_code=3), record.CRASHED, "exit code 3"),
        (WorkerLost(exit_code=128 + 6), record.CRASHED, "crashed (SIGABRT)"),
        (WorkerLost(exit_code=128 + 9), record.CRASHED, "killed from outside (SIGKILL)"),
        (WorkerLost(nonsense="bytes that are no message"), record.CRASHED, "bytes that are no message"),
        (SandboxError("no room"), record.GRADER_ERROR, "The sandbox failed: no room."),
        (GraderError("a tolerance"), record.GRADER_ERROR, "a tolerance"),
        (OSError("disk"), record.GRADER_ERROR, "disk"),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, BaseException) else None,
)
def test_every_end_of_a_check_has_its_outcome(error, outcome, said):
    """Each way in which a check can end has one outcome and one sentence."""
    result = verdict(error, "m04.2", LIMITS, answered=True)

    assert result.outcome == outcome
    assert said in result.message
    assert "\n" not in result.message


def test_a_blocked_check_names_the_task_it_waits_for():
    """A check that ends in another task's stub is blocked by that task."""
    assert verdict(StudentError("NotImplementedError", [], " m04.1 "), "m04.2", LIMITS, True).blocked_by == "m04.1"


@pytest.mark.parametrize(
    "text", ['Module [MultiHeadAttention] is missing the required "forward" function', "no kernel for 'Half'"]
)
def test_a_librarys_not_implemented_is_a_failure(text):
    """NotImplementedError with words of its own, such as torch's for a misspelt forward, is shown and no stub."""
    result = verdict(StudentError("NotImplementedError", ["RuntimeError"], text), "m04.4", LIMITS, answered=True)

    assert result.outcome == record.FAILED
    assert text in result.message


def test_a_value_that_the_check_cannot_use_is_the_students():
    """An exception in a check's own lines is the student's failure once a value came back, and else the grader's."""
    error = TypeError("'NoneType' object is not iterable")

    assert verdict(error, "m04.2", LIMITS, answered=True).outcome == record.FAILED
    assert verdict(error, "m04.2", LIMITS, answered=False).outcome == record.GRADER_ERROR


# ── points ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def task(*checks):
    """Return a task worth 4 points whose checks ended so: pairs of outcome and evidence."""
    made = [record.Check(f"test_{n}", "It holds.", outcome, [kind]) for n, (outcome, kind) in enumerate(checks)]
    return record.Task("m04.1", "A task", 4.0, checks=made)


def test_points_are_all_or_nothing():
    """A task earns its points when every check passed, and nothing when one did not."""
    good, bad = (record.PASSED, record.VALUE), (record.FAILED, record.VALUE)

    assert earned(task(good, good, (record.PASSED, record.CLAIM))) == 4.0
    assert earned(task(good, bad)) == 0.0
    assert earned(task(good, (record.NOT_STARTED, record.VALUE))) == 0.0


@pytest.mark.parametrize("kind", [record.CLAIM, record.MEASURED])
def test_claims_alone_earn_nothing(kind):
    """Without a comparison of values a task earns nothing, though every check passed."""
    assert earned(task((record.PASSED, kind), (record.PASSED, record.CLAIM))) == 0.0


def test_a_task_without_checks_earns_nothing():
    """A task that no check ran for is a grader error and earns nothing."""
    assert task().outcome == record.GRADER_ERROR
    assert earned(task()) == 0.0


def planned_run(count):
    """Return a run of m04 with so many planned checks, none of which ran."""
    milestone = support.COURSE.milestone("m04")
    run = Run(Options([milestone.id]), support.COURSE, Submission("exercises", {}), None, None)
    run.planned = [
        Planned(milestone, milestone.tasks[0], f"test_{n}", "It holds.", milestone.limits) for n in range(count)
    ]
    return run


def test_a_check_without_an_outcome_is_a_grader_error():
    """Fail closed: a planned check that never ended, or ended twice, is a grader error in the record."""
    run = planned_run(3)
    right = record.Check("test_0", "It holds.", record.PASSED, [record.VALUE])
    run.planned[0].results.append(right)
    run.planned[2].results += [right, right]

    checks = run.milestones()[0].tasks[0].checks

    assert [check.outcome for check in checks] == [record.PASSED, record.GRADER_ERROR, record.GRADER_ERROR]
    assert checks[1].message == "This check has 0 outcomes instead of one."
    assert run.milestones()[0].earned == 0


def test_a_task_without_checks_puts_the_grader_at_fault():
    """A run in which a task had no check at all says that the grader is at fault, as the exit code 3 does."""
    result = record.Record("", "", "0", "cpu", "process", milestones=planned_run(0).milestones())

    assert all(part.outcome == record.GRADER_ERROR for part in result.milestones[0].tasks)
    assert result.grader_at_fault


def test_the_sums_of_a_record_are_those_of_its_tasks():
    """The JSON of a record carries the sums of its points, and they are the syllabus's."""
    parts = [record.Milestone(m.id, m.title, [task() for _ in m.tasks]) for m in support.COURSE.milestones]
    for milestone, part in zip(support.COURSE.milestones, parts, strict=True):
        for ours, made in zip(milestone.tasks, part.tasks, strict=True):
            made.points = made.earned = ours.points
    plain = record.to_json(record.Record("", "", "0", "cpu", "process", milestones=parts))

    assert plain["possible"] == plain["earned"] == sum(milestone.points for milestone in support.COURSE.milestones)
    assert [part["possible"] for part in plain["milestones"]] == [m.points for m in support.COURSE.milestones]


# ── one seed ──────────────────────────────────────────────────────────────────────────────────────────────────────────

DICE = """
import random

import numpy
import torch


def causal_mask(seq, device=None):
    raise ValueError(f"{random.random()} {numpy.random.rand()} {torch.rand(1).item()}")
"""


def test_the_students_own_dice_fall_as_the_seed_says():
    """A run is repeated exactly: random, NumPy and torch start in the student's code from the run's seed."""
    check = "test_three_tokens_see_themselves_and_what_came_before"

    def rolled(seed):
        result = support.grade({"m04_attention": DICE}, only={check}, seed=seed)
        return support.checks(result)[0].message.removeprefix("Your code raised ValueError: ").split()

    first = rolled("0")

    assert rolled("0") == first
    assert all(mine != theirs for mine, theirs in zip(first, rolled("1"), strict=True))


# ── progress ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def finished(milestone="m04_attention", outcome=record.PASSED):
    """Return a milestone as it is remembered."""
    return record.Milestone(milestone, "A milestone", [task((outcome, record.VALUE))])


def test_a_milestone_that_passed_is_known_as_long_as_its_key_holds(tmp_path):
    """What passed is found again under the same folder and key, and under no other."""
    path, folder = tmp_path / "state" / "progress.json", tmp_path / "exercises"
    Progress(path).remember(folder, [finished()], {"m04_attention": "k"})

    found = Progress(path).passed(folder, "m04_attention", "k")

    assert found is not None
    assert found.reused
    assert Progress(path).passed(folder, "m04_attention", "other") is None
    assert Progress(path).passed(tmp_path / "elsewhere", "m04_attention", "k") is None
    assert Progress(path).passed(folder, "m01_tokenizer", "k") is None


def test_a_milestone_that_failed_is_remembered_but_graded_again(tmp_path):
    """An unfinished milestone is shown by list and never reused."""
    path = tmp_path / "progress.json"
    Progress(path).remember(tmp_path, [finished(outcome=record.FAILED)], {"m04_attention": "k"})

    assert Progress(path).passed(tmp_path, "m04_attention", "k") is None
    assert Progress(path).last(tmp_path, "m04_attention").tasks[0].outcome == record.FAILED


def test_the_key_depends_on_the_sources_the_grader_and_the_settings():
    """Another source, another grader or another setting gives another key."""
    submission = Submission("exercises", {"m04_attention": b"x = 1\n"})
    changed = Submission("exercises", {"m04_attention": b"x = 2\n"})
    one = key(submission, ["m04_attention"], "0.1.0+abc", "0", "cpu")

    assert one == key(submission, ["m04_attention"], "0.1.0+abc", "0", "cpu")
    assert one != key(changed, ["m04_attention"], "0.1.0+abc", "0", "cpu")
    assert one != key(submission, ["m04_attention"], "0.1.0+abd", "0", "cpu")
    assert one != key(submission, ["m04_attention"], "0.1.0+abc", "1", "cpu")


def test_hints_climb_three_rungs_and_stay(tmp_path):
    """Each call shows the next of three rungs, the last one again and again; tasks climb apart."""
    path = tmp_path / "progress.json"

    assert [Progress(path).next_hint("m04.1", 3) for _ in range(5)] == [0, 1, 2, 2, 2]
    assert Progress(path).next_hint("m04.2", 3) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"schema": "other/1"}',
        '{"schema": "scratchwork-progress/1", "submissions": [], "hints": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {}, "hints": []}',
        '{"schema": "scratchwork-progress/1", "submissions": {}, "hints": {"m04.1": "two"}}',
        '{"schema": "scratchwork-progress/1", "submissions": {"FOLDER": []}, "hints": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {"FOLDER": {"m04_attention": 3}}, "hints": {}}',
        '{"schema": "scratchwork-progress/1", "submissions": {"FOLDER": {"m04_attention": {"key": "k"}}}, "hints": {}}',
    ],
    ids=lambda text: f"{text[:20]}-{len(text)}",
)
def test_a_damaged_progress_file_costs_only_the_progress(tmp_path, text):
    """Whatever stands in the progress file, nothing is known, nothing is raised, and the next run writes it anew."""
    path = tmp_path / "progress.json"
    path.write_text(text.replace("FOLDER", str(tmp_path.resolve())), encoding="utf-8")

    progress = Progress(path)

    assert progress.passed(tmp_path, "m04_attention", "k") is None
    assert progress.last(tmp_path, "m04_attention") is None
    assert progress.next_hint("m04.1", 3) == 0
    progress.remember(tmp_path, [finished()], {"m04_attention": "k"})
    assert Progress(path).passed(tmp_path, "m04_attention", "k") is not None


def test_progress_that_cannot_be_kept_is_said_in_one_sentence(tmp_path):
    """Where nothing can be written the run goes on, and one sentence says that it is not remembered."""
    (tmp_path / "state").write_text("a file in the folder's place")
    progress = Progress(tmp_path / "state" / "progress.json")

    progress.remember(tmp_path, [finished()], {"m04_attention": "k"})

    assert "could not be written" in progress.trouble
    assert "\n" not in progress.trouble


def test_no_half_written_file_is_left_behind(tmp_path):
    """After many writes the folder holds the one file."""
    for _ in range(5):
        Progress(tmp_path / "progress.json").next_hint("m04.1", 3)

    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


# ── submission ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path):
    """A submission with a good m01 and nothing else."""
    made = tmp_path / "exercises"
    made.mkdir()
    (made / "m01_tokenizer.py").write_text("x = 1\n")
    return made


def problem(folder):
    """Collect a submission and return what is wrong with m04, m01 having been taken."""
    submission = collect(folder, support.COURSE)

    assert submission.sources.get("m01_tokenizer") == b"x = 1\n"
    assert "m04_attention" not in submission.sources
    return submission.problems["m04_attention"]


def test_only_the_courses_modules_are_taken(folder):
    """Other files of a folder are not looked at, whatever they are."""
    (folder / "m04_attention.py").write_bytes(b"y = 2\n")
    (folder / "conftest.py").write_text("raise SystemExit\n")
    (folder / "m04_attention.pyc").write_bytes(b"\0")

    submission = collect(folder, support.COURSE)

    assert submission.sources == {"m01_tokenizer": b"x = 1\n", "m04_attention": b"y = 2\n"}


def test_a_missing_module_is_named(folder):
    """A module that isn't there is that milestone's problem, in one sentence."""
    assert problem(folder).endswith("m04_attention.py is missing; put the stub back to start from.")


def test_a_pipe_is_refused_without_waiting_for_it(folder):
    """A named pipe nobody writes to is refused at once."""
    os.mkfifo(folder / "m04_attention.py")

    assert problem(folder).endswith("cannot be taken: it is a named pipe, not a regular file.")


def test_a_link_is_refused(folder, tmp_path):
    """A symbolic link is refused, wherever it leads, and also when it leads nowhere."""
    (tmp_path / "elsewhere.py").write_text("secret = 1\n")
    for target in (tmp_path / "elsewhere.py", tmp_path / "nowhere.py", Path("/dev/zero")):
        (folder / "m04_attention.py").symlink_to(target)
        assert problem(folder).endswith("cannot be taken: it is a symbolic link, not a regular file.")
        (folder / "m04_attention.py").unlink()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_a_file_that_is_swapped_while_it_is_looked_at_is_refused(folder, monkeypatch, kind):
    """A pipe or a link that takes a regular file's place at the last moment is neither waited for nor followed."""
    regular = os.stat(folder / "m01_tokenizer.py")
    path = folder / "m04_attention.py"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("m01_tokenizer.py")
    monkeypatch.setattr(os, "lstat", lambda _path: regular)

    assert "m04_attention.py cannot be taken: " in problem(folder)


def test_a_folder_and_a_socket_are_refused(folder, tmp_path, monkeypatch):
    """A folder or a socket under a module's name is refused."""
    (folder / "m04_attention.py").mkdir()
    assert problem(folder).endswith("cannot be taken: it is a folder, not a regular file.")
    (folder / "m04_attention.py").rmdir()

    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("m04_attention.py")
        assert problem(folder).endswith("cannot be taken: it is a socket, not a regular file.")


def test_a_source_has_a_largest_size(folder):
    """A source of exactly the largest size is taken, and one byte more is refused."""
    limit = support.COURSE.max_source_bytes
    (folder / "m04_attention.py").write_bytes(b"#" * limit)
    assert len(collect(folder, support.COURSE).sources["m04_attention"]) == limit

    (folder / "m04_attention.py").write_bytes(b"#" * (limit + 1))
    assert problem(folder).endswith(f"cannot be taken: it is larger than {limit // 1024} kB, which no solution needs.")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make a file somebody else's")
def test_a_hard_link_to_somebody_elses_file_is_refused(folder, tmp_path):
    """A file with a second name and another owner than the folder's, such as the solution, is not taken."""
    (tmp_path / "theirs.py").write_text("secret = 1\n")
    os.chown(folder, 12345, 12345)
    os.link(tmp_path / "theirs.py", folder / "m04_attention.py")

    assert "hard link" in problem(folder)


@pytest.mark.parametrize("name", ["nothing", "file.py"])
def test_a_submission_is_a_folder_with_modules(tmp_path, name):
    """No folder, a file in its place, or an empty folder is refused as a whole."""
    (tmp_path / "file.py").write_text("")
    (tmp_path / "empty").mkdir()

    with pytest.raises(SubmissionError, match="There is no folder"):
        collect(tmp_path / name, support.COURSE)
    with pytest.raises(SubmissionError, match="has none of the course's modules"):
        collect(tmp_path / "empty", support.COURSE)


def test_a_digest_tells_sources_apart():
    """The digest changes with any byte, with a module that is missing, and not with modules nobody asked for."""
    one = Submission("", {"m01_tokenizer": b"a", "m04_attention": b"b"})

    assert one.digest(["m04_attention"]) == Submission("", {"m04_attention": b"b"}).digest(["m04_attention"])
    assert one.digest(["m04_attention"]) != Submission("", {"m04_attention": b"c"}).digest(["m04_attention"])
    assert one.digest(["m04_attention"]) != Submission("", {}).digest(["m04_attention"])
    assert Submission("", {}).digest(["m04_attention"]) != Submission("", {"m04_attention": b""}).digest(
        ["m04_attention"]
    )


# ── the syllabus's names ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    ["m04", "4", "04", "attention", "m04_attention", "M04", " m04 ", "m04_attention.py", "exercises/m04_attention.py"],
)
def test_a_milestone_answers_to_its_short_names(name):
    """Number, word, full id and file name all mean the same milestone."""
    assert support.COURSE.milestone(name).id == "m04_attention"


@pytest.mark.parametrize("name", ["m04.2", "04.2", "4.2", "attention.2", "m04_attention.2"])
def test_a_task_answers_to_its_short_names(name):
    """A task is its milestone's name and its number."""
    assert support.COURSE.task(name)[1].id == "m04.2"


@pytest.mark.parametrize(("name", "meant"), [("m04_atention", "m04_attention"), ("tokeniser", "tokenizer")])
def test_a_typo_is_guessed(name, meant):
    """A misspelt milestone gets the likeliest one named, and no traceback."""
    with pytest.raises(syllabus.SyllabusError, match=f"did you mean {meant}"):
        support.COURSE.milestone(name)


# ── checkpoints ───────────────────────────────────────────────────────────────────────────────────────────────────────

CONFIG = {
    "n_embd": 12,
    "n_head": 3,
    "n_layer": 2,
    "n_positions": 8,
    "vocab_size": 40,
    "layer_norm_epsilon": 1e-5,
    "model_type": "gpt2",
}


def tensors():
    """Return a small GPT-2 with random weights, keys as they are without prefix and buffers."""
    generator, d_model, state = torch.Generator().manual_seed(0), CONFIG["n_embd"], {}
    shapes = {
        "ln_1.weight": (d_model,),
        "ln_1.bias": (d_model,),
        "attn.c_attn.weight": (d_model, 3 * d_model),
        "attn.c_attn.bias": (3 * d_model,),
        "attn.c_proj.weight": (d_model, d_model),
        "attn.c_proj.bias": (d_model,),
        "ln_2.weight": (d_model,),
        "ln_2.bias": (d_model,),
        "mlp.c_fc.weight": (d_model, 4 * d_model),
        "mlp.c_fc.bias": (4 * d_model,),
        "mlp.c_proj.weight": (4 * d_model, d_model),
        "mlp.c_proj.bias": (d_model,),
    }
    for layer in range(CONFIG["n_layer"]):
        for name, shape in shapes.items():
            state[f"h.{layer}.{name}"] = torch.randn(shape, generator=generator)
    top = {"wte.weight": (40, d_model), "wpe.weight": (8, d_model), "ln_f.weight": (d_model,), "ln_f.bias": (d_model,)}
    return state | {name: torch.randn(shape, generator=generator) for name, shape in top.items()}


def with_buffers(state):
    """Return the layout of the hub's own file: no prefix, and the causal mask of every layer as a buffer."""
    size = CONFIG["n_positions"]
    masks = {f"h.{n}.attn.bias": torch.ones(1, 1, size, size).tril() for n in range(CONFIG["n_layer"])}
    fills = {f"h.{n}.attn.masked_bias": torch.tensor(-1e4) for n in range(CONFIG["n_layer"])}
    return state | masks | fills


def with_prefix(state):
    """Return the layout that today's transformers saves: everything below `transformer.`."""
    return {f"transformer.{name}": value for name, value in state.items()}


def checkpoint(folder, state, config=CONFIG):
    """Write a checkpoint and return its folder's name."""
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


LAYOUTS = {
    "plain": lambda state: state,
    "hub": with_buffers,
    "transformers": with_prefix,
    "both": lambda state: with_prefix(with_buffers(state)),
    "half": lambda state: {name: value.half() for name, value in state.items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_both_layouts_of_a_checkpoint_load(tmp_path, layout):
    """With and without prefix, with and without mask buffers, the state is the same: only the buffers are dropped."""
    weights = Weights(checkpoint(tmp_path, LAYOUTS[layout](tensors())))
    weights.check()

    state = weights.state

    assert set(state) == set(tensors())
    for name, value in tensors().items():
        assert state[name].dtype == torch.float32
        assert torch.allclose(state[name], value, atol=2e-3 if layout == "half" else 0)


@pytest.mark.parametrize("layout", ["hub", "transformers"])
def test_an_oracle_is_made_of_either_layout(tmp_path, layout):
    """Transformers' own attention, loaded from either layout, computes causal attention with these weights."""
    state, n_heads = tensors(), CONFIG["n_head"]
    weights = Weights(checkpoint(tmp_path, LAYOUTS[layout](state)))
    x = Draw("0", "weights").normal(2, 5, CONFIG["n_embd"])

    hidden = torch.full((5, 5), -math.inf).triu(1)[None, None]
    with torch.no_grad():
        actual = weights.attention(1)(x, attention_mask=hidden)[0]

    parts = (x @ state["h.1.attn.c_attn.weight"] + state["h.1.attn.c_attn.bias"]).chunk(3, dim=-1)
    heads = [part.unflatten(-1, (n_heads, -1)).transpose(1, 2) for part in parts]
    mixed = torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).flatten(2)
    expected = mixed @ state["h.1.attn.c_proj.weight"] + state["h.1.attn.c_proj.bias"]
    assert torch.allclose(actual, expected, atol=1e-3 * float(expected.abs().median()))


@pytest.mark.parametrize(
    "change",
    [
        {"h.1.attn.c_proj.bias": None},
        {f"h.1.attn.{name}": None for name in ("c_attn.weight", "c_attn.bias", "c_proj.weight", "c_proj.bias")},
        {"h.0.attn.c_attn.weight": torch.zeros(12, 24)},
        {"h.0.attn.extra": torch.zeros(3)},
    ],
    ids=["a missing tensor", "a missing layer", "another shape", "an extra tensor"],
)
def test_a_checkpoint_that_contradicts_its_config_is_refused(tmp_path, change):
    """Tensors missing, too many or of another shape are found before grading: no student is failed for them."""
    state = {name: value for name, value in (tensors() | change).items() if value is not None}
    weights = Weights(checkpoint(tmp_path, state))

    with pytest.raises(WeightsError) as caught:
        weights.check()

    assert "\n" not in str(caught.value)


def test_a_file_cut_in_half_is_refused(tmp_path):
    """Half a safetensors file gives one sentence that names it."""
    weights = Weights(checkpoint(tmp_path, tensors()))
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(WeightsError, match=r"model\.safetensors cannot be read as safetensors") as caught:
        weights.check()

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"gpt2"', "{}", '{"n_embd": "12", "n_head": 3}', "[" * 100_000, "\udcff"]
)
def test_a_config_that_is_none_is_refused(tmp_path, text):
    """A config.json that is no GPT-2 configuration gives one sentence that names it."""
    checkpoint(tmp_path, tensors())
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(WeightsError, match=r"config\.json") as caught:
        Weights(str(tmp_path))

    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    """A folder without config.json, without model.safetensors, or no folder at all: each is named."""
    with pytest.raises(WeightsError, match=r"has no config\.json"):
        Weights(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(WeightsError, match=r"has no model\.safetensors"):
        Weights(str(tmp_path))
    with pytest.raises(WeightsError, match="is neither gpt2-nano nor gpt2 nor a folder"):
        Weights(str(tmp_path / "nothing"))
