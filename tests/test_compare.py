"""Comparisons: what they accept, and how they say what is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from grader import record
from grader.judge import (
    compare,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_raises,
    expect_ratio,
    expect_tensor,
)
from grader.judge.outcomes import CheckFailed, GraderError
from grader.sandbox.conversation import Handle
from grader.sandbox.errors import StudentError

ONES = torch.ones(2, 3)
BOTH = "either one is missing, or alike"


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
        "The weights differ from what is expected by up to 0.5 at [1, 2]: got 1.5, expected 1 (allowed: 0.001)."
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


def test_what_is_allowed_is_said_of_the_number_that_is_off():
    """With a relative tolerance the message shows a number that is off, and what was allowed there."""
    actual, expected = torch.tensor([1003.0, 102.0]), torch.tensor([1000.0, 100.0])

    message = refused(expect_close, actual, expected, atol=0.1, rtol=0.01).message

    assert "by up to 2 at [1]: got 102, expected 100 (allowed: 1.1)." in message
    assert "1 of 2 values is off." in message


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


def test_a_near_miss_is_as_near_as_the_check_is_strict():
    """A near miss that is further away than the check's own tolerance is not what the code did, and is not named."""
    right = torch.tensor([2.0, 6.0], dtype=torch.float64)
    misses = {"eps stands inside the root": right + 1e-6}

    assert refused(expect_close, right + 1.001e-6, right, atol=1e-10, misses=misses).mistake is None
    assert refused(expect_close, right + 1e-6, right, atol=1e-10, misses=misses).mistake == "eps stands inside the root"


def test_the_nearest_near_miss_wins():
    """Of several near misses within the tolerance the nearest is named, and all that give one value."""
    right = torch.tensor([2.0, 6.0])
    misses = {"near": right + 0.5009, "nearest": lambda: right + 0.5002}
    alike = {"the same": right + 0.5002, "the same ": right + 0.5002}

    def named(misses):
        return refused(expect_close, right + 0.5, right, atol=1e-3, misses=misses).mistake

    assert named(misses) == "nearest"
    assert named(misses | alike) == "either nearest, or the same"
    assert named({f"number {number}": right + 0.5 for number in range(4)}) is None


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


@pytest.mark.parametrize("expected", [ONES * math.nan, ONES * 1e-6])
def test_what_follows_from_an_answer_is_not_the_graders_fault(expected):
    """Where what is expected follows from an earlier answer, it fails instead, also when both agree."""
    with pytest.raises(CheckFailed, match="follows from what your code gave before"):
        expect_close(expected, expected, atol=1e-3, follows=True)


def test_a_near_miss_that_cannot_be_computed_is_the_graders_fault():
    """An exception in the grader's own near miss raises GraderError: the student's value had nothing to do with it."""

    def broken():
        raise RuntimeError("shapes do not fit")

    with pytest.raises(GraderError):
        expect_close(ONES * 2, ONES, atol=1e-3, misses={"never named": broken})


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
    assert refused(expect_equal, [0, 1], [0, 1, 2], misses=misses | {"alike": [0, 1]}).mistake == BOTH


def test_a_huge_value_makes_a_short_message():
    """However much came back, a message quotes a line of it."""
    for value in ("x" * 10**6, list(range(10**5)), dict.fromkeys(range(10**4), "y" * 99), 10**4000):
        assert len(refused(expect_equal, value, None).message) < 400


def test_a_condition_is_a_claim_unless_said_otherwise():
    """A condition passes or fails with the given words, and its evidence is what the check says it is."""
    expect(True, "never said")
    assert compare.evidence == {record.CLAIM}

    failure = refused(expect, False, "it leaks", mistake="the mask is missing", evidence=record.MEASURED)

    assert (failure.message, failure.mistake) == ("it leaks", "the mask is missing")
    assert record.MEASURED in compare.evidence


@pytest.mark.parametrize(("value", "kept"), [(0.3, True), (0.2, False), (0.4, False), (0.1, False), (math.nan, False)])
def test_a_bound_is_kept_between_its_two_sides(value, kept):
    """A value passes between the two, not on one of them, and NaN lies nowhere; the judge compared it itself."""
    if kept:
        expect_bound(value, "the share", above=0.2, below=0.4)
    else:
        failure = refused(expect_bound, value, "the share", above=0.2, below=0.4, mistake="too many")
        assert (failure.message, failure.mistake) == ("the share", "too many")
    assert compare.evidence == {record.VALUE}


@pytest.mark.parametrize(
    ("ratios", "measured", "said"),
    [([9.0], 1, None), ([12.0, 4.0], 2, None), ([12.0, 14.0], 2, "12 times"), ([40.0, 1.0], 1, "40 times")],
)
def test_a_ratio_near_its_bound_is_measured_twice(ratios, measured, said):
    """A ratio below its bound passes, one above it is measured again, and one far above it is believed at once."""
    left = list(ratios)

    def expectation():
        expect_ratio(lambda: left.pop(0), below=10, message="{ratio:.0f} times", mistake="it grows")

    if said is None:
        expectation()
    else:
        failure = refused(expectation)
        assert (failure.message, failure.mistake) == (said, "it grows")
    assert len(ratios) - len(left) == measured
    assert compare.evidence == {record.MEASURED}


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
