"""The suites proven: stubs earn nothing, solutions everything."""

from __future__ import annotations

import functools
import re

import attacks_support as arena
import pytest
import support

from grader import record


@pytest.mark.parametrize("touched", [False, True], ids=["as_handed_out", "touched"])
@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_stub_is_not_started_and_earns_nothing(milestone, touched):
    """Every check of a stub is not started, or blocked by a part that isn't, and no point is earned.

    A stub as it was handed out is known by its look; with a function of the student's own in it, its checks run.
    """
    source = support.source("exercises", milestone) + "\n\ndef mine():\n    return 1\n" * touched
    result = support.grade_one(milestone, source, folder="exercises", level="inline" if touched else "auto")

    assert result.earned == 0
    assert set(support.outcomes(result).values()) <= {record.NOT_STARTED, record.BLOCKED}, support.complaints(result)
    assert result.milestones[0].tasks[0].outcome == record.NOT_STARTED
    assert result.milestones[0].problem is None


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_an_honest_stub_earns_nothing_in_the_same_checks(milestone):
    """The checks that attacks are graded with give an honest stub no point either."""
    names = {name for attack in arena.attacks() if attack.milestone == milestone for name in attack.checks}
    if not names:
        pytest.skip("no attack is graded with a check of this milestone")
    result = support.grade_one(milestone, support.source("exercises", milestone), only=names)

    assert result.earned == 0
    assert record.PASSED not in support.outcomes(result).values()


@functools.cache
def solution_alone(milestone):
    """Grade a milestone's solution once for all tests that ask about it.

    Inside the judge, which takes half as long; the whole is graded in the sandbox, and `nox -s verify` does both there.
    """
    return support.grade_one(milestone, support.source("solutions", milestone), level="inline")


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


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_solution_is_told_what_it_achieved(milestone):
    """Each milestone's checks say in a sentence with figures what a solution of it achieves."""
    result = solution_alone(milestone)

    said = [sentence for check in support.checks(result) for sentence in check.achieved]
    assert said and all(re.search(r"\d", sentence) for sentence in said)
    assert all("\n" not in sentence and len(sentence) < 400 for sentence in said)
    assert record.from_json(record.to_json(result)) == result
