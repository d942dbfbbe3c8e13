"""The suites proven: every classic mistake is rejected by the check that is there for it, and named where promised."""

from __future__ import annotations

import functools

import proving
import pytest
import support

from grader import record


@pytest.fixture(scope="module")
def ended(request):
    """The checks of each selected mutant that it names, by milestone and name.

    A milestone's mutants are graded together, in one session of the judge, when the first of them is asked about.
    """
    chosen = {}
    for item in request.session.items:
        if item.path == request.path and "mutant" in item.callspec.params:
            mutant = item.callspec.params["mutant"]
            if support.fits(item.callspec.params["milestone"], mutant):  # else its own test says so
                chosen.setdefault(item.callspec.params["milestone"], []).append(mutant)

    @functools.cache
    def of(milestone):
        mutants = chosen[milestone]
        trials = [
            proving.Trial(support.mutate(milestone, mutant), (frozenset({mutant["check"]}),)) for mutant in mutants
        ]
        found = proving.tried(milestone, trials)
        return {mutant["name"]: checks for mutant, (checks,) in zip(mutants, found, strict=True)}

    return of


@pytest.mark.parametrize(
    ("milestone", "mutant"),
    [pytest.param(m, mutant, id=f"{m}-{support.slug(mutant['name'])}") for m, mutant in support.mutants()],
)
def test_a_mutant_is_rejected_by_the_check_it_names(milestone, mutant, ended):
    """A classic mistake fails the check that is there for it, and is named to the student where that is promised."""
    support.mutate(milestone, mutant)  # which fails for a text that does not stand in the solution once
    checks = ended(milestone)[mutant["name"]]

    failed = [check for check in checks if check.outcome != record.PASSED]
    said = [f"{check.id}: {check.outcome}: {check.message} {check.mistake or ''}" for check in failed]
    assert checks, f"there is no check {mutant['check']}"
    assert failed, f"{mutant['mistake']}: not rejected"
    assert all(check.outcome != record.GRADER_ERROR for check in failed), said
    if "told" in mutant:
        assert any(support.right_name(mutant, check.mistake) for check in failed), said


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_there_are_enough_mutants(milestone):
    """A milestone has at least twelve mutants, and the six likeliest are named to the student."""
    own = [mutant for name, mutant in support.mutants() if name == milestone]

    assert len(own) >= 12
    assert sum("told" in mutant for mutant in own) >= 6
    assert len({mutant["name"] for mutant in own}) == len(own)
