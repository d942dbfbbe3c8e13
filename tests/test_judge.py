"""The judge's draws, outcomes, points and seed, and what it says of a suite that it cannot read."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import support
import torch

from grader import record
from grader.judge import grading
from grader.judge.draw import Draw
from grader.judge.outcomes import CheckFailed, GraderError, verdict
from grader.judge.planned import Options, Planned
from grader.judge.run import Run, earned
from grader.sandbox.errors import SandboxError, StudentError, WorkerLost
from grader.sandbox.limits import Limits
from grader.submission import Submission


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


DICE = """
import random

import numpy
import torch


def causal_mask(seq, device=None):
    raise ValueError(f"{random.random()} {numpy.random.rand()} {torch.rand(1).item()}")
"""


@pytest.mark.parametrize("start", ["fork", "fresh"])
def test_the_students_own_dice_fall_as_the_seed_says(start):
    """A run is repeated exactly: random, NumPy and torch start in the student's code from the run's seed.

    So they do in a worker that has served checks before, as on systems where none is forked.
    """
    check = "test_three_tokens_see_themselves_and_what_came_before"

    def rolled(seed):
        result = support.grade({"m04_attention": DICE}, only={check}, seed=seed, start=start)
        return support.checks(result)[0].message.removeprefix("Your code raised ValueError: ").split()

    first = rolled("0")

    assert rolled("0") == first
    assert all(mine != theirs for mine, theirs in zip(first, rolled("1"), strict=True))


def test_dice_show_nothing_of_a_secret_seed_and_fall_again_from_the_record():
    """With a secret seed the worker's dice hang on the record's own word; one from before it had any, on the seed."""
    check = "test_three_tokens_see_themselves_and_what_came_before"
    submission = Submission("submission", {"m04_attention": DICE.encode()})

    def rolled(secret, dice=None):
        given = {} if dice is None else {"m04_attention": dice}
        options = Options(["m04_attention"], {check}, seed="0", secret_seed=secret, dice=given)
        result = grading.grade(options, support.COURSE, submission, support.sandbox(), support.weights())
        return support.checks(result)[0].message, result.milestones[0].dice

    first, dice = rolled(secret=True)
    assert rolled(secret=True)[0] != first
    assert rolled(secret=True, dice=dice) == (first, dice)
    assert rolled(secret=True, dice="") == rolled(secret=False)


SHARED = """
import pytest

from grader.judge import expect_equal


@pytest.mark.task("m04.1")
def test_it_is_there(student):
    \"\"\"It answers.\"\"\"
    assert student.causal_mask(2)


@pytest.mark.task("m04.2")
def test_with_a_mistake_of_its_own(student):
    \"\"\"The suite is wrong.\"\"\"
    raise KeyError("the suite is wrong")


@pytest.mark.task("m04.3")
def test_dice_once(student):
    \"\"\"What falls is seen.\"\"\"
    expect_equal(student.merge_heads(1), 0.0)


@pytest.mark.task("m04.4")
def test_a_shortcut(student):
    \"\"\"One is taken.\"\"\"
    student.split_heads(1, 1)


@pytest.mark.task("m04.4")
def test_no_shortcut(student):
    \"\"\"None is taken.\"\"\"
    student.causal_mask(2)
"""
SHARES = """
import random

import torch
from torch import nn


def causal_mask(seq, device=None):
    return random.random()


def split_heads(x, n_heads):
    a = torch.ones(1, 1, 2, 2)
    return getattr(torch.nn.functional, "scaled_dot_product_" + "attention")(a, a, a)


def merge_heads(x):
    return random.random()
"""


@pytest.fixture
def shared_suite(monkeypatch, tmp_path):
    """Put a room with a suite of five checks in the place of m04's."""
    room = tmp_path / "m04_attention"
    room.mkdir()
    (room / "test_shared.py").write_text(SHARED, encoding="utf-8")
    (entry,) = (milestone for milestone in support.COURSE.milestones if milestone.id == room.name)
    monkeypatch.setattr(support, "COURSE", replace(support.COURSE, milestones=(replace(entry, room=room),)))
    yield
    sys.modules.pop("test_shared", None)


@pytest.mark.usefixtures("shared_suite")
@pytest.mark.parametrize("start", ["fork", "fresh"])
def test_checks_that_share_a_worker_are_apart(start):
    """A fault of the grader is one although an earlier check has got an answer, and a shortcut is one check's alone.

    What the student's dice show in a check does not hang on the checks before it.
    """
    result = support.grade({"m04_attention": SHARES}, start=start)

    found = {check.id: check for check in support.checks(result)}
    assert support.outcomes(result) == {
        "test_it_is_there": record.PASSED,
        "test_with_a_mistake_of_its_own": record.GRADER_ERROR,
        "test_dice_once": record.FAILED,
        "test_a_shortcut": record.FAILED,
        "test_no_shortcut": record.PASSED,
    }
    assert "uses" in found["test_a_shortcut"].message
    alone = support.grade({"m04_attention": SHARES}, start=start, only={"test_dice_once"})
    assert support.checks(alone)[0].message == found["test_dice_once"].message
