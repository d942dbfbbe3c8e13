"""What a worker sends is never a fault of the grader's: odd answers in right clothes, in every check there is."""

from __future__ import annotations

import pytest
import support
from spoiled import KINDS, spoiled

from grader import record


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_spoiled_answer_is_no_fault_of_the_grader(milestone, kind):
    """Numbers that are not finite, tiny, huge, of an odd type or missing fail checks, and none ends as the grader's."""
    result = support.grade_one(milestone, spoiled(support.source("solutions", milestone), kind))

    assert {check.id: check.message for check in support.checks(result) if check.outcome == record.GRADER_ERROR} == {}
    assert sum(one.earned for one in result.milestones) < sum(one.possible for one in result.milestones)
