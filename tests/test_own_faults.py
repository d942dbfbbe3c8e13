"""What a worker sends is never a fault of the grader's: odd answers in every comparison and in every check there is."""

from __future__ import annotations

import contextlib
import functools

import numpy
import pytest
import support
import torch
from spoiled import KINDS, numbers, spoiled

from grader import record
from grader.judge import asked, expect, expect_close, expect_equal, expect_raises, expect_ratio, expect_tensor
from grader.judge.describe import describe, excerpt
from grader.judge.outcomes import verdict
from grader.judge.run import Listener
from grader.sandbox.conversation import Conversation, Handle
from grader.sandbox.errors import WorkerLost
from grader.sandbox.inside import wire
from grader.sandbox.limits import Limits

DTYPES = [getattr(torch, name) for name in wire.TORCH_DTYPES]
SHAPES = [(), (0,), (2, 3), (0, 3), (1,) * 16]


class Silent:
    """A transport to a worker that is gone."""

    def exchange(self, node, buffers, answer):
        """Nobody answers."""
        raise WorkerLost(exit_code=1)


def nested(depth):
    """Return a number in so many lists."""
    return [nested(depth - 1)] if depth else 1


def odd_values():
    """Return a value of every kind that can cross, and more of those that are at the edge of something."""
    handle = Handle(Conversation(Silent()), 1, "torch.nn.Linear", True)
    tensors = [torch.ones(shape).to(dtype) for dtype in DTYPES for shape in SHAPES]
    numbers = [
        torch.tensor([[x] * 3] * 2) for x in (float("nan"), float("inf"), -0.0, 1e38, 1e-45, 2**63 - 1, -(2**63))
    ]
    arrays = [numpy.ones(shape, dtype) for dtype in wire.NUMPY_DTYPES for shape in ((), (2, 3))]
    scalars = [numpy.dtype(name).type(1) for name in wire.NUMPY_DTYPES]
    return [
        None, True, 0, -1, 10**4299, -(10**4299), 0.5, -0.0,
        float("nan"), float("inf"), 1e308, "", "\ud800", "x" * 10**6,
        b"", b"\xff" * 10**5, [], (), {}, set(), frozenset(), [None], [[]], {None: None},
        {handle: handle}, {1, "a", None},
        {(1, 2): {frozenset({1})}}, {float("nan")}, nested(49), [handle], handle, torch.float32, torch.device("cpu"),
        [torch.zeros(2, 3)], {"weight": torch.zeros((6,) * 7)}, [[torch.ones(1)] * 40] * 40, list(range(10**5)),
        *tensors, *numbers, *arrays, *scalars,
    ]  # fmt: skip


ODD = odd_values()
EXPECTED = [
    0.5, torch.ones(2, 3), torch.ones(()), torch.ones(0, 3), torch.ones(2, 3, dtype=torch.float16),
    torch.ones(2, 3, dtype=torch.int64), torch.ones(2, 3).double(),
]  # fmt: skip
EQUALS = [None, 1, 0.5, "a", b"a", [1, 2], (1, 2), {"a": 1}, {1: [2]}, {1, 2}, torch.zeros(2, 3), torch.float32]
EQUALS += [torch.zeros(2, 3).bool(), torch.device("cpu"), [torch.zeros(2)], {"weight": torch.zeros(2, 3)}]


def comparisons(value):
    """Yield every comparison that checks have, with each kind of expected value."""
    for expected in EXPECTED:
        misses = {"a near miss": expected, "another": lambda e=expected: 3 * e, "as given": value}
        yield lambda e=expected, m=misses: expect_close(value, e, atol=0.0, rtol=1e-3, misses={**m})
        yield lambda e=expected: expect_close(value, e, atol=0.0001)
    for expected in EQUALS:
        yield lambda e=expected: expect_equal(value, e, misses={"a near miss": e, "as given": value})
        yield lambda e=expected: expect_equal([value], [e])
        yield lambda e=expected: expect_equal({"x": (value,)}, {"x": (e,)})
    yield lambda: expect_equal({value: 1}, {1: 1})
    yield lambda: expect_equal({value}, {1})
    yield lambda: expect_tensor(value, shape=(2, 3), dtype=torch.float32)
    yield lambda: expect_raises("ValueError", lambda: value)
    yield lambda: expect_ratio(lambda: value / 2, below=3, message="{ratio:.2f}")
    yield lambda: expect(value == 1, f"{describe(value)}")
    yield lambda: expect(bool(value[0]), excerpt(value))


def outcome(compare):
    """Return how a check ends that does this, after the worker has answered."""
    try:
        compare()
    except Exception as error:
        return verdict(error, "m04.2", Limits(), answered=True).outcome
    return record.PASSED


@pytest.mark.parametrize("number", range(len(ODD)), ids=lambda n: f"{n}-{type(ODD[n]).__name__}")
def test_no_odd_value_is_a_fault_of_the_grader(number):
    """Whatever a comparison is given, it passes, or fails in a way that is laid at the submission's door."""
    value = ODD[number]
    for compare in comparisons(value):
        assert outcome(compare) in (record.PASSED, record.FAILED, record.CRASHED)


LOOKS = [
    asked.of(int), asked.of(float), asked.of(str), asked.of(bool), asked.whole, asked.list_of(asked.whole),
    asked.maybe(asked.of(float)), asked.ids(below=5, most=10), asked.ids(below=5, most=10, axes=2),
]  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_what_a_callback_does_not_take_is_refused_by_a_word_to_the_student(look):
    """Every odd value is taken, or refused with TypeError or ValueError, and none is computed with."""
    taken = []
    for value in ODD:
        with contextlib.suppress(TypeError, ValueError):
            taken.append(look(value))

    assert 0 < len(taken) < len(ODD)
    for value in taken:
        assert not isinstance(value, torch.Tensor) or (
            value.numel() <= 10 and value.dtype in (torch.int64, torch.int32)
        )


class Noting(Listener):
    """Notes the checks in which an answer was spoiled, and those that did not pass."""

    def __init__(self):
        self.found, self.failed = set(), set()

    def check_started(self, *_):
        """Begin to count."""
        numbers.clear()

    def check_ended(self, check):
        """Keep its name if there was something to count, or if it did not pass."""
        name = check.id.partition("[")[0]
        self.found |= {name} if numbers else set()
        self.failed |= {name} if check.outcome != record.PASSED else set()


@functools.cache
def graded(milestone, kind):
    """Grade a milestone's solution with spoiled answers; return the record, and the checks in which there were some.

    Where no number came back, of whatever kind, none will come back that is spoiled otherwise.
    """
    only = None if kind == KINDS[0] else graded(milestone, KINDS[0])[1]
    if only == set():
        return None, only
    noting, source = Noting(), spoiled(support.source("solutions", milestone), kind)
    result = support.grade_one(milestone, source, only=only, level="inline", listener=noting)
    assert noting.failed <= noting.found, "a right answer failed, or what was spoiled was not seen"
    return result, noting.found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_spoiled_answer_is_no_fault_of_the_grader(milestone, kind):
    """Answers that are not finite, next to nothing or of an odd type fail checks, and none ends as the grader's.

    Inside the judge, which takes half as long: what comes back goes over the same wire there.
    """
    result, _ = graded(milestone, kind)
    if result is None:
        pytest.skip("no number comes back in this milestone's checks")

    assert {check.id: check.message for check in support.checks(result) if check.outcome == record.GRADER_ERROR} == {}
