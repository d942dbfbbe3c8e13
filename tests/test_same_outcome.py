"""The same submission ends in the same way, whoever judges which of its checks and whenever somebody looks."""

from __future__ import annotations

import attacks_support as arena
import left_behind
import pytest
import support
import systems
import test_attacks
import test_golden

from grader.judge import crew
from grader.judge.grading import grade
from grader.judge.planned import Options
from grader.submission import Submission

pytestmark = systems.bubblewrap
CASES = ("prints", "crashes")
ATTACKS = ("b76a_printed_in_a_wink", "b76b_printed_at_import", "a80_floods_its_output", "a76a_list_bomb")
# How these end, they leave to chance themselves: each earns the same, which is nothing.
BY_CHANCE = {
    "a18_forged_replies_on_every_descriptor": "how much of what it writes is read before its process is gone",
    "b13_descriptors_and_pipes": "the same",
    "b43_two_speak_at_once": "two processes answer at the same time",
    "b45_busy_before_its_check": "it makes the machine slow, and runs out of time or not",
    "b83_hangs_one_of_two_judges": "it ends otherwise on another core",
}


@pytest.fixture(autouse=True)
def _called_at_once(monkeypatch):
    monkeypatch.setattr(crew, "LONG_SECONDS", 0)


def endings(result, said=True):
    """Return how each check ended, what was earned and, unless it holds what was measured, what was said of it."""
    ended = {check.id: (check.outcome, check.message if said else "") for check in support.checks(result)}
    return ended, [task.earned for milestone in result.milestones for task in milestone.tasks]


def chosen(names, usual):
    """Return all of these under SCRATCHWORK_EVERY_ATTACK, and the usual ones otherwise."""
    return names if test_attacks.EVERY_ATTACK else [name for name in names if name in usual]


@pytest.mark.parametrize("name", chosen(test_golden.CASES, CASES))
def test_a_golden_case_ends_the_same_with_one_judge_and_with_four(name, tmp_path, monkeypatch):
    """Outcomes, messages and points of a whole submission do not depend on the number of judges."""
    found = []
    for judges in (1, 4):
        monkeypatch.setattr(
            test_golden, "Options", lambda milestones, judges=judges: Options(milestones, judges=judges)
        )
        found.append(endings(test_golden.graded(name, tmp_path / f"{judges}" / "exercises")))

    assert found[0] == found[1]


@pytest.mark.parametrize("name", chosen([a.name for a in arena.attacks() if "bubblewrap" in a.levels], ATTACKS))
def test_an_attack_ends_the_same_with_one_judge_and_with_four(name):
    """Outcomes and points of a hostile submission do not depend on the number of judges either."""
    attack = next(attack for attack in arena.attacks() if attack.name == name)
    found = []
    for judges in (1, 4):
        options = Options([attack.milestone], set(attack.checks), seed=attack.seed, judges=judges)
        with left_behind.private_temporary_folder():
            result = grade(
                options, arena.course(attack.limits), Submission("submission", attack.sources),
                support.sandbox("bubblewrap"), support.weights(),
            )  # fmt: skip
        left_behind.clear_up()
        found.append(endings(result, said=False))

    assert found[0][1] == found[1][1]
    assert found[0] == found[1] or name in BY_CHANCE
