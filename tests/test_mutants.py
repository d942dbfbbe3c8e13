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

    A milestone's mutants are graded together, in one session of the judge, when the first of them is asked about; in
    the sandbox those that are not rejected inside the judge, or that are told something else there.
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
            proving.Trial(
                support.mutate(milestone, mutant), (frozenset({mutant["check"]}),), functools.partial(is_told, mutant)
            )
            for mutant in mutants
        ]
        found = proving.tried_inside(
            milestone, trials, lambda number, groups: not complaints(mutants[number], groups[0])
        )
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

    assert complaints(mutant, checks) == []


def is_told(mutant, check):
    """Whether a check that did not pass says what a mutant promises, if it promises something."""
    return "told" not in mutant or support.right_name(mutant, check.mistake)


def complaints(mutant, checks):
    """Return what is wrong with how a mutant's checks ended, with all that they said."""
    failed = [check for check in checks if check.outcome != record.PASSED]
    if not failed:
        return [f"{mutant['mistake']}: not rejected" if checks else f"there is no check {mutant['check']}"]
    told = any(is_told(mutant, check) for check in failed)
    fault = any(check.outcome == record.GRADER_ERROR for check in failed)
    return [] if told and not fault else support.complaints_of(failed)


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_there_are_enough_mutants(milestone):
    """A milestone has at least twelve mutants, and the six likeliest are named to the student."""
    own = [mutant for name, mutant in support.mutants() if name == milestone]

    assert len(own) >= 12
    assert sum("told" in mutant for mutant in own) >= 6
    assert len({mutant["name"] for mutant in own}) == len(own)
