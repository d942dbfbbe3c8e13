"""The suites proven: what answers without thinking earns nothing."""

from __future__ import annotations

import proving
import pytest
import support
from degenerate import KINDS, degenerate

from grader import record


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_degenerate_submission_earns_nothing(milestone, kind):
    """Functions that return zeros, their input, noise, a broadcasting scalar or None fail a check of every task."""
    source = degenerate(support.source("solutions", milestone), kind)
    by_task = support.checks_by_task(milestone)
    assert list(by_task) == [task.id for task in support.COURSE.milestone(milestone).tasks]

    trial = proving.Trial(source, tuple(map(frozenset, by_task.values())), until=proving.REJECTED)
    (ended,) = proving.tried(milestone, [trial])
    last = {task: checks[-1] for task, checks in zip(by_task, ended, strict=True)}

    assert [task for task, check in last.items() if check.outcome == record.PASSED] == []
    assert [check.message for check in last.values() if check.outcome == record.GRADER_ERROR] == []
