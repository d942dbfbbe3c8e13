"""The suites proven: every classic mistake is rejected by the check that is there for it, and named where promised."""

from __future__ import annotations

import pytest
import support

from grader import record


@pytest.mark.parametrize(
    ("milestone", "mutant"),
    [pytest.param(m, mutant, id=f"{m}-{support.slug(mutant['name'])}") for m, mutant in support.mutants()],
)
def test_a_mutant_is_rejected_by_the_check_it_names(milestone, mutant):
    """A classic mistake fails the check that is there for it, and is named to the student where that is promised."""
    result = support.grade_one(milestone, support.mutate(milestone, mutant), only={mutant["check"]})

    failed = [check for check in support.checks(result) if check.outcome != record.PASSED]
    assert support.checks(result), f"there is no check {mutant['check']}"
    assert failed, f"{mutant['mistake']}: not rejected"
    assert all(check.outcome != record.GRADER_ERROR for check in failed), support.complaints(result)
    if "told" in mutant:
        told = [check.mistake for check in failed if check.mistake]
        assert any(mutant["told"] in words for words in told), support.complaints(result)


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_there_are_enough_mutants(milestone):
    """A milestone has at least twelve mutants, and the six likeliest are named to the student."""
    own = [mutant for name, mutant in support.mutants() if name == milestone]

    assert len(own) >= 12
    assert sum("told" in mutant for mutant in own) >= 6
    assert len({mutant["name"] for mutant in own}) == len(own)
