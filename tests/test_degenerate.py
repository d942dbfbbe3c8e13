"""The suites proven: what answers without thinking earns nothing."""

from __future__ import annotations

import functools

import proving
import pytest
import support
from degenerate import KINDS, degenerate

from grader import record


@functools.cache
def last_checks(milestone):
    """Try every kind on every task, in one session of the judge; return the last check of each that was needed.

    A kind that is not rejected inside the judge is tried in the sandbox.
    """
    by_task = support.checks_by_task(milestone)
    assert list(by_task) == [task.id for task in support.COURSE.milestone(milestone).tasks]
    groups, solution = tuple(map(frozenset, by_task.values())), support.source("solutions", milestone)
    trials = [proving.Trial(degenerate(solution, kind), groups, until=proving.REJECTED) for kind in KINDS]
    found = proving.tried_inside(milestone, trials, lambda _, groups: all(rejected(checks[-1]) for checks in groups))
    return {
        kind: {task: checks[-1] for task, checks in zip(by_task, ended, strict=True)}
        for kind, ended in zip(KINDS, found, strict=True)
    }


def rejected(check):
    """Whether a check did what it is there for."""
    return check.outcome not in (record.PASSED, record.GRADER_ERROR)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_degenerate_submission_earns_nothing(milestone, kind):
    """Functions that return zeros, their input, noise, a broadcasting scalar or None fail a check of every task."""
    last = last_checks(milestone)[kind]

    assert [task for task, check in last.items() if check.outcome == record.PASSED] == []
    assert [check.message for check in last.values() if check.outcome == record.GRADER_ERROR] == []
