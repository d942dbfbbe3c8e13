"""The suites proven: what answers without thinking earns nothing."""

from __future__ import annotations

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

    rejections = {task: support.rejected_by(milestone, source, checks) for task, checks in by_task.items()}

    assert [task for task, check in rejections.items() if check is None] == []
    faults = [check.message for check in rejections.values() if check.outcome == record.GRADER_ERROR]
    assert faults == []
