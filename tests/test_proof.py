"""The suites proven: stubs and degenerate submissions earn nothing, solutions and alternates everything."""

from __future__ import annotations

import functools

import pytest
import support
from degenerate import KINDS, degenerate

from grader import record


@pytest.mark.parametrize("touched", [False, True], ids=["as_handed_out", "touched"])
@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_stub_is_not_started_and_earns_nothing(milestone, touched):
    """Every check of a stub is not started, or blocked by a part that isn't, and no point is earned.

    A stub as it was handed out is known by its look; with a function of the student's own in it, its checks run.
    """
    source = support.source("exercises", milestone) + "\n\ndef mine():\n    return 1\n" * touched
    result = support.grade_one(milestone, source, folder="exercises")

    assert result.earned == 0
    assert set(support.outcomes(result).values()) <= {record.NOT_STARTED, record.BLOCKED}, support.complaints(result)
    assert result.milestones[0].tasks[0].outcome == record.NOT_STARTED
    assert result.milestones[0].problem is None


@functools.cache
def solution_alone(milestone):
    """Grade a milestone's solution once for all tests that ask about it."""
    return support.grade_one(milestone, support.source("solutions", milestone))


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_solution_passes_alone(milestone):
    """A milestone's solution, with only what it is made of, earns all of its points."""
    result = solution_alone(milestone)

    assert support.complaints(result) == []
    assert result.earned == result.possible > 0


def test_the_solutions_pass_as_a_whole():
    """All solutions together, read from their folder, earn all points."""
    result = support.grade_folder(support.REPOSITORY / "solutions")

    assert support.complaints(result) == []
    assert result.passed and result.earned == result.possible


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_each_task_has_a_check_that_compares_values(milestone):
    """Every task rests on at least one comparison of values by the judge."""
    result = solution_alone(milestone)

    bare = [
        task.id
        for task in result.milestones[0].tasks
        if not any(record.VALUE in check.evidence for check in task.checks)
    ]
    assert bare == []


ALTERNATES = sorted((support.TESTS / "alternates").glob("m*/*.py"))


@pytest.mark.parametrize("path", ALTERNATES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_alternate_passes(path):
    """An unusual but right implementation earns all points."""
    result = support.grade_one(path.parent.name, path.read_text(encoding="utf-8"))

    assert support.complaints(result) == []
    assert result.earned == result.possible


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_there_are_enough_alternates(milestone):
    """A milestone has at least three alternates."""
    assert sum(path.parent.name == milestone for path in ALTERNATES) >= 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_degenerate_submission_earns_nothing(milestone, kind):
    """Functions that return zeros, their input, noise, a broadcasting scalar or None earn no point."""
    result = support.grade_one(milestone, degenerate(support.source("solutions", milestone), kind))

    assert result.earned == 0, [task.id for task in result.milestones[0].tasks if task.earned]
    assert record.GRADER_ERROR not in support.outcomes(result).values(), support.complaints(result)
