"""No hostile submission earns a point, outlives its checks, hangs or swells the judge, or spoils a report."""

from __future__ import annotations

import dataclasses
import os
import re

import attacks_support as arena
import pytest
import support
from every_report import texts
from readable_reports import expect_readable

from grader import clipping, record
from grader.reports.student_view import student_view
from grader.reports.words import SENTENCE
from grader.sandbox import levels

ATTACKS = [attack for attack in arena.attacks() if not attack.gap]
GAPS = [attack for attack in arena.attacks() if attack.gap]
# Not those that end before a library has answered: nothing is left to unwrap, packages are not there, nobody hears.
LIBRARY = [attack for attack in arena.attacks() if re.match("a59(?!(d|h|i|zc)_)", attack.name)]
# At the levels user and process a sample, unless all is asked for: one attack for each thing that such a level does in
# its own way.
SAMPLE = (
    "a01_equals_everything", "a18_forged_replies_on_every_descriptor", "a57_fixtures_on_disk", "a59i_tiktoken",
    "a61_caches_between_checks", "a74_fork_bomb", "a75_daemon", "a76a_list_bomb", "a81_ignores_signals",
    "a95_signals_and_tracing", "b11_out_of_its_namespaces", "b12_writes_to_the_sandbox", "b21_swapped_folder",
    "b22_bottomless_folder", "b23_slow_to_die",
)  # fmt: skip
EVERY_ATTACK = os.environ.get("SCRATCHWORK_EVERY_ATTACK") == "1"
UNAVAILABLE = {level: levels.unavailable(level) for level in ("bubblewrap", "user", "process")}  # looking takes long
JUDGE_MB = 500  # what the judge may grow by while it grades one attack; torch and the suites are loaded before
GRACE = 2.0  # seconds that a check may take beyond its limit, for killing and clearing up
TASKS = {task.id for milestone in support.COURSE.milestones for task in milestone.tasks}


def at_its_levels(attacks):
    """Return each attack with each level that it is tried at; how many are left out at which is said in the end."""
    pairs = []
    for attack in attacks:
        for level in attack.levels:
            if reason := UNAVAILABLE[level]:
                support.leave_out(f"attacks at the level {level}, which does not work here: {reason}", attack.name)
            elif level != "bubblewrap" and attack.name not in SAMPLE and not EVERY_ATTACK:
                support.leave_out(f"attacks at the level {level}: nox -s attacks tries them", attack.name)
            else:
                pairs.append(pytest.param(attack, level, id=f"{attack.name}-{level}"))
    return pairs


@pytest.fixture(scope="module", autouse=True)
def _the_judge_has_all_it_needs():
    """Grade something first, so that what the judge loads once does not count as an attack's doing."""
    for milestone, check in (
        ("m04_attention", "test_a_layer_runs_where_its_input_is"),
        ("m20_serving", "test_health_is_ok"),
    ):
        support.grade({milestone: support.source("solutions", milestone)}, only={check})


every_attack = pytest.mark.parametrize(("attack", "level"), at_its_levels(ATTACKS))
# What is not stopped yet may earn something, and nothing else.
every_attack_and_gap = pytest.mark.parametrize(("attack", "level"), at_its_levels([*ATTACKS, *GAPS]))


def fought(attack, level):
    """Return the record of an attack, graded once for all tests; fail if the judge had to be interrupted."""
    battle = arena.fight(attack, level)
    assert not battle.interrupted, f"the judge hung at {battle.interrupted[0]}"
    return battle.record


@every_attack
def test_an_attack_earns_nothing(attack, level):
    """No check passes, no point is earned, and every check ends in a way that is laid at the submission's door."""
    result = fought(attack, level)
    outcomes = set(support.outcomes(result).values())

    assert {check.id.partition("[")[0] for check in support.checks(result)} == set(attack.checks)
    assert record.PASSED not in outcomes, support.outcomes(result)
    assert record.GRADER_ERROR not in outcomes, support.complaints(result)
    assert outcomes <= set(attack.outcomes), support.complaints(result)
    assert result.earned == 0 and not result.passed and not result.milestones[0].passed


@pytest.mark.parametrize("attack", LIBRARY, ids=lambda attack: attack.name)
def test_a_library_that_does_the_work_is_named(attack):
    """A check whose answer is right, and a library's, fails with what was used; where it passes, a note stands."""
    result = fought(attack, attack.levels[0])
    mistakes = {check.mistake or "" for check in support.checks(result)}

    if attack.gap:
        assert result.milestones[0].notes
    else:
        assert all(mistake.startswith("a library does the work") for mistake in mistakes), support.complaints(result)


@every_attack_and_gap
def test_an_attack_finds_nothing(attack, level):
    """Nothing that the attack looks for is there to be found, read, written or signalled."""
    printed = [line for check in support.checks(fought(attack, level)) for line in check.output.splitlines()]

    assert [line for line in printed if line.startswith(arena.LOOT)] == []


@every_attack_and_gap
def test_an_attack_takes_no_longer_than_its_limits(attack, level):
    """Every check ends within its limit, but for a moment to kill and clear up, longer where the machine is busy."""
    checks = support.checks(fought(attack, level))
    battle = arena.fight(attack, level)

    # The first check's time holds that of importing the module once before it.
    # At the process level an attack can kill the server, and booting another takes seconds.
    grace = GRACE + (30 if level == "process" and "server" in attack.name else 0)
    latest = [(1 if place else 2) * battle.limit + grace * battle.slowness for place in range(len(checks))]
    late = [check.id for check, seconds in zip(checks, latest, strict=True) if check.seconds > seconds]
    assert late == [], [(check.id, check.seconds) for check in checks]


@every_attack_and_gap
def test_an_attack_does_not_swell_the_judge(attack, level):
    """Whatever a submission sends, the judge keeps within a few hundred megabytes of its own."""
    assert arena.fight(attack, level).judge_mb <= JUDGE_MB


@every_attack_and_gap
def test_an_attack_leaves_the_report_readable(attack, level):
    """Every form of the report can be made, says the same, and holds nothing that a screen or a CI log would obey."""
    expect_readable(fought(attack, level))


@every_attack_and_gap
def test_an_attack_makes_no_report_without_end(attack, level):
    """What it says, names and raises is cut to a length, and so is the number of notes; output has its own limit."""
    for milestone in fought(attack, level).milestones:
        assert len(milestone.notes) <= clipping.NOTES
        assert max(map(len, [*milestone.notes, milestone.problem or ""])) <= clipping.SENTENCE
        for check in (check for task in milestone.tasks for check in task.checks):
            assert len(check.message) <= clipping.MESSAGE and len(check.traceback) <= clipping.FRAMES
            short = [check.title, check.mistake or "", check.blocked_by or ""]
            names = [name for frame in check.traceback for name in (frame.file, frame.function)]
            assert max(map(len, short)) <= clipping.SENTENCE and max(map(len, ["", *names])) <= clipping.NAME


@every_attack_and_gap
def test_a_student_sees_nothing_hidden_of_an_official_run(attack, level):
    """What an attack's author is shown of an official run are the suite's own words: no input, no seed, no path."""
    official = dataclasses.replace(
        fought(attack, level), official=True, secret_seed=True, seed="a-seed-to-keep", isolation="bubblewrap"
    )
    shown = texts(student_view(official))
    for name, text in shown.items():
        for hidden in (official.seed, arena.LOOT, "/tmp/", "/worker/", "/site/", str(support.REPOSITORY)):
            assert hidden not in text, f"{name} shows {hidden}"
    for check in support.checks(student_view(official)):
        assert check.output == check.message.removeprefix(SENTENCE[check.outcome]) == "" and not check.traceback
        assert check.blocked_by in (None, "", *TASKS) and len(check.mistake or "") < 1000


@every_attack_and_gap
def test_an_attack_leaves_nothing_behind(attack, level):
    """No process and no file outlives the attack, and the machine's own files are as they were."""
    battle = arena.fight(attack, level)

    assert battle.processes == []
    assert battle.files == []
    assert not battle.machine_changed


@every_attack_and_gap
def test_a_right_submission_passes_after_an_attack(attack, level):
    """What is graded next, in the same sandbox, is graded as if nothing had been."""
    assert arena.fight(attack, level).complaints_afterwards == []


def test_the_sample_of_the_user_level_is_of_attacks_that_there_are():
    """Every attack that stands for the user level exists, and is stopped there."""
    names = {attack.name for attack in ATTACKS if "user" in attack.levels}

    assert sorted(set(SAMPLE) - names) == []


def test_every_known_gap_is_written_down():
    """What is not stopped yet stands in the attacks' README, with its file and the reason."""
    readme = (arena.FOLDER / "README.md").read_text(encoding="utf-8").partition("## Known gaps")[2]

    assert [attack.name for attack in GAPS if f"`{attack.name}.py`" not in readme or attack.gap not in readme] == []
