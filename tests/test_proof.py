"""The suites proven: stubs earn nothing, solutions everything."""

from __future__ import annotations

import dataclasses
import re

import attacks_support as arena
import pytest
import support

from grader import record
from grader.judge import supply
from grader.submission import Submission


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


@pytest.fixture(scope="module")
def graded(request):
    """The solutions that the selected tests ask about, read from their folder and graded in one run."""
    items = [item for item in request.session.items if item.path == request.path and "graded" in item.fixturenames]
    asked = {item.callspec.params["milestone"] if hasattr(item, "callspec") else "the whole" for item in items}
    chosen = [milestone for milestone in support.MILESTONES if asked & {milestone, "the whole"}]
    return support.grade_folder(support.REPOSITORY / "solutions", milestones=chosen)


def of(graded, milestone):
    """Return what a record says of one milestone."""
    return dataclasses.replace(graded, milestones=[one for one in graded.milestones if one.id == milestone])


def test_the_solutions_pass_as_a_whole(graded):
    """All solutions together, read from their folder, earn all points."""
    assert [milestone.id for milestone in graded.milestones] == support.MILESTONES
    assert support.complaints(graded) == []
    assert graded.passed and graded.earned == graded.possible


def test_the_readme_counts_the_checks_that_there_are(graded):
    """Points and checks in the README's examples are those of the course, of m07 and of the tasks that they show."""
    readme = (support.REPOSITORY / "README.md").read_text(encoding="utf-8")
    counts = {task.id: len(task.checks) for milestone in graded.milestones for task in milestone.tasks}
    said = {name: int(count) for name, count in re.findall(r"✗ (m\d\d\.\d) .* of (\d+) checks? pass", readme)}
    scores = re.findall(r"Score +\d+ of (\d+) points +\S+ +([\d,]+) checks in", readme)
    whole = graded.possible, sum(counts.values())
    m07 = of(graded, "m07_generation")

    assert said == {name: counts[name] for name in said} and said
    assert [(float(points), int(checks.replace(",", ""))) for points, checks in scores] == [
        whole,
        (m07.possible, sum(len(task.checks) for task in m07.milestones[0].tasks)),
    ]


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_solution_passes_alone(milestone, graded):
    """A milestone's solution, with only what it is made of, earns all of its points.

    With all others beside it a worker is given no more than that, unless the milestone uses more; then it is graded
    once more, inside the judge, which takes half as long.
    """
    whole, alone = (
        supply.load_request(support.COURSE.milestone(milestone), support.COURSE, Submission("", sources))
        for sources in (solutions(support.MILESTONES), solutions(support.with_needs(milestone, "")))
    )
    result = of(graded, milestone)
    if whole != alone:
        result = support.grade_one(milestone, support.source("solutions", milestone), level="inline")

    assert support.complaints(result) == []
    assert result.earned == result.possible > 0


def solutions(milestones):
    """Return the sources of some solutions."""
    return {name: support.source("solutions", name).encode() for name in milestones}


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_each_task_has_a_check_that_compares_values(milestone, graded):
    """Every task rests on at least one comparison of values by the judge."""
    result = of(graded, milestone)

    bare = [
        task.id
        for task in result.milestones[0].tasks
        if not any(record.VALUE in check.evidence for check in task.checks)
    ]
    assert bare == []


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_solution_is_told_what_it_achieved(milestone, graded):
    """Each milestone's checks say in a sentence with figures what a solution of it achieves."""
    result = of(graded, milestone)

    said = [sentence for check in support.checks(result) for sentence in check.achieved]
    assert said and all(re.search(r"\d", sentence) for sentence in said)
    assert all("\n" not in sentence and len(sentence) < 400 for sentence in said)
    assert record.from_json(record.to_json(result)) == result
