"""What calls of the student's raise: what is refused, what is not, and what an exception means."""

from __future__ import annotations

import pytest
import torch

from grader.judge import CheckFailed, StudentError, expect_answer, expect_close, expect_equal, expect_raises, mistakes
from grader.judge import expect_unchanged as unchanged


def raising(kind, text=""):
    """Return a function that raises as the student's code does, but for the argument 1, which it returns."""

    def function(value):
        if value == 1:
            return value
        raise StudentError(kind, [kind], text)

    return function


def failure(function, *args, **kwargs):
    """Return the failure of an expectation."""
    with pytest.raises(CheckFailed) as caught:
        function(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "text", "fine", "mistake"),
    [
        ("ValueError", "it says 3", (1,), mistakes.UNSAID),
        ("RuntimeError", "2", (1,), mistakes.NOT_LOOKED),
        ("RuntimeError", "2", (3,), None),
        ("RuntimeError", "2", None, None),
    ],
)
def test_what_is_refused_in_another_way_is_named(kind, text, fine, mistake):
    """An error that says too little is named, and another one only where the function works with what is fine."""
    assert failure(expect_raises, "ValueError", raising(kind, text), 2, mentions=("2",), fine=fine).mistake == mistake


def test_what_is_accepted_is_named():
    """Where nothing is raised that is the mistake, in the suite's words where it has some."""
    assert failure(expect_raises, "ValueError", raising("ValueError"), 1).mistake == mistakes.ACCEPTED
    said = failure(expect_raises, "ValueError", raising("ValueError"), 1, mistake="a rank of 0 is accepted")
    assert said.mistake == "a rank of 0 is accepted"


def test_what_says_too_little_may_be_named_by_the_suite():
    """Where the right error lacks the words, the suite's own sentence for that comes first."""
    given = "ValueError", raising("ValueError", "cannot convert"), 2
    said = failure(expect_raises, *given, mentions=("nan",), unsaid="NaN slips through", mistake="accepted")
    assert said.mistake == "NaN slips through"


def test_an_exception_means_what_sets_two_calls_apart():
    """An answer is handed on; an exception has a meaning only where the simpler call works, and a stub's has none."""
    assert expect_answer(lambda x: x, 5, simpler=(6,), mistake="seq may be 0") == 5

    function, stub = raising("IndexError", "2"), raising("NotImplementedError", "m04.1")
    for call, simpler, mistake in ((function, 1, "seq may be 0"), (function, 3, None), (stub, 1, None)):
        with pytest.raises(StudentError) as caught:
            expect_answer(call, 2, simpler=(simpler,), mistake="seq may be 0")
        assert caught.value.mistake == mistake


@pytest.mark.parametrize(
    ("actual", "named"),
    [
        (torch.tensor([1.0, 2.0], dtype=torch.float64), True),
        (torch.tensor([1, 2]), True),
        (torch.tensor([1.0, 3.0], dtype=torch.float64), False),
        (torch.tensor([[1.0, 2.0]]).double(), False),
    ],
)
def test_right_numbers_of_another_dtype_are_named(actual, named):
    """Where nothing but the dtype is wrong, it is named: of a tensor alone, and of one among others."""
    right, mistake = torch.tensor([1.0, 2.0]), mistakes.DTYPE if named else None

    assert failure(expect_close, actual, right, atol=1e-6).mistake == mistake
    assert failure(expect_equal, [right, (actual,)], [right, (right,)]).mistake == mistake


def test_a_changed_argument_is_named():
    """What differs after a call was changed in place; a closer name comes first."""
    x, ids = torch.tensor([1.0, 2.0]), torch.tensor([1, 2])
    unchanged(x, x, what="x")
    unchanged(ids, ids, what="the ids")

    assert failure(unchanged, x + 1, x, what="x").mistake == mistakes.CHANGED
    assert failure(unchanged, ids + 1, ids, what="the ids").mistake == mistakes.CHANGED
    assert failure(unchanged, x + 1, x, what="x", misses={"one is added": x + 1}).mistake == "one is added"


def test_torchs_own_words_mean_one_thing():
    """What torch says of a view after a transpose is named, other words are not."""
    with pytest.raises(RuntimeError) as caught:
        torch.zeros(2, 3).mT.view(6)

    assert mistakes.of_error(str(caught.value)) == mistakes.VIEW
    assert mistakes.of_error("something else") is None
