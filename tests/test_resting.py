"""An earlier task that fails is named where a later one rests on it, in every report, and mended first."""

from __future__ import annotations

import re

import pytest
import support
from every_report import texts
from made_record import make_record, make_task, screen

from grader import record, resting
from grader.record import BLOCKED, FAILED, NOT_STARTED, PASSED, WITHHELD
from grader.reports import findings

FIRST = "m04.2 fails, and this rests on it: mend that first."


@pytest.fixture
def chained():
    """Return a record in which m04.2 fails, and m04.3, which rests on it."""
    made = make_record(PASSED, PASSED)
    tasks = made.milestones[1].tasks
    tasks[2].rests_on, tasks[1].rests_on, tasks[3].rests_on = ["m04.2"], ["m04.1"], ["m04.1"]
    for task in tasks[1:3]:
        task.earned, task.checks[1].outcome = 0, FAILED
    return made


def test_the_cause_of_a_failure_is_the_failing_task_beneath_it(chained):
    """It is found however far beneath it lies, and only for a task that fails itself."""
    mask, scores, heads, half = chained.milestones[1].tasks

    assert resting.cause(chained.milestones, heads) is scores
    assert resting.cause(chained.milestones, scores) is resting.cause(chained.milestones, half) is None
    half.rests_on, half.checks[0].outcome = ["m04.3"], FAILED
    scores.checks[1].outcome, mask.checks[0].outcome = PASSED, FAILED
    heads.checks[1].outcome = PASSED
    assert resting.cause(chained.milestones, half) is mask


def test_of_several_causes_the_own_milestones_is_named(chained):
    """A task of the same milestone is nearer than one of an earlier milestone; that one names what it rests on."""
    heads = chained.milestones[1].tasks[2]
    chained.milestones[0].tasks[0].checks[0].outcome = FAILED
    heads.rests_on = ["m01.1", "m04.2"]

    assert resting.cause(chained.milestones, heads).id == "m04.2"


def test_every_report_names_what_to_mend_first(chained):
    """Whatever the report is written for, the task that rests on a failing one says so."""
    for name, text in texts(chained).items():
        if name in ("json", "table", "annotations", "class"):  # of marks, of a class, and of first failures
            continue
        assert "".join(FIRST.split()) in "".join(text.split()), name


def test_a_name_leaves_open_that_the_cause_lies_beneath(chained):
    """What rests on a failing task may resemble another mistake than the one made, and every report says so."""
    tasks = chained.milestones[1].tasks
    tasks[1].checks[1].mistake, tasks[2].checks[1].mistake = "the mask is inverted", "the heads stay on axis 2"

    for name, text in texts(chained).items():
        if name in ("json", "table", "annotations", "class"):
            continue
        said = "".join(text.replace("*", "").split())
        assert "Likelymistake:themaskisinverted" in re.sub("<[^>]*>", "", said), name
        assert "Likelymistake,unlessm04.2iswhy:theheadsstayonaxis2" in re.sub("<[^>]*>", "", said), name


def test_the_report_ends_with_what_to_mend_first(chained):
    """The last lines name the first failure, who rests on it, and its mistake, which many lines have left above."""
    chained.milestones[1].tasks[1].checks[1].mistake = "the scores are not divided by sqrt(d_head)"

    ending = " ".join(screen(chained, 100).partition("Next")[2].split())

    assert (
        "Mend m04.2 (Scaled dot-product attention) first, in exercises/m04_attention.py: m04.3 rests on it." in ending
    )
    assert "Likely mistake: the scores are not divided by sqrt(d_head)." in ending


def test_a_record_keeps_what_its_tasks_rest_on(chained):
    """A record that was saved and read back names the same task; one of before, which lacks that, names none."""
    plain = record.to_json(chained)

    assert resting.cause(record.from_json(plain).milestones, chained.milestones[1].tasks[2]).id == "m04.2"
    for task in plain["milestones"][1]["tasks"]:
        task.pop("rests_on", None)
    again = record.from_json(plain)
    assert [task.rests_on for task in again.milestones[1].tasks] == [[]] * 4


def test_nothing_is_started_only_where_nothing_is():
    """A function that was written and waits for another one is a start; a stub as it was handed out is none."""
    fresh = make_record(NOT_STARTED, NOT_STARTED)
    assert findings.nothing_started(fresh) and "Nothing is started yet" in screen(fresh)

    for outcomes in ((PASSED, BLOCKED), (BLOCKED, BLOCKED)):
        begun = make_record(NOT_STARTED, NOT_STARTED)
        begun.milestones[0].tasks[1] = make_task("m01", 2, "Training", 6, outcomes)
        begun.milestones[0].tasks[1].checks[-1].blocked_by = "m01.1"
        assert not findings.nothing_started(begun)
        assert "Nothing is started yet" not in screen(begun)
        assert not findings.untouched(begun.milestones[0]) and findings.untouched(begun.milestones[1])
    fresh.milestones[1].tasks[0].checks, fresh.milestones[1].tasks[0].withheld = [], 3
    assert fresh.milestones[1].tasks[0].outcome == WITHHELD and findings.nothing_started(fresh)


# ── as students meet it ───────────────────────────────────────────────────────────────────────────────────────────────


def by_task(result):
    """Return the tasks of a record by their ids."""
    return {task.id: task for milestone in result.milestones for task in milestone.tasks}


def test_blocks_in_a_plain_list_are_said_once():
    """m06.1 names the mistake; m06.3 and m06.5 name m06.1, and nobody is asked to report anything."""
    wrong = support.source("solutions", "m06_gpt").replace("nn.ModuleList(\n", "list(\n")
    only = {"test_its_parts_bear_gpt2s_names", "test_whatever_was_there_is_drawn_anew"}
    only |= set(sorted(support.checks_by_task("m06_gpt")["m06.5"])[:2])

    result = support.grade_one("m06_gpt", wrong, only=only)
    tasks = by_task(result)

    assert any("nn.ModuleList" in (check.mistake or "") for check in tasks["m06.1"].checks)
    for task in ("m06.3", "m06.5"):
        assert tasks[task].outcome in resting.BROKEN
        assert findings.mend_first(result.milestones, tasks[task]).startswith("m06.1 fails")
    assert "please report it" not in screen(result, 200)


def test_a_mistake_in_an_earlier_file_is_shown_there():
    """A tensor that m04's attention makes on the CPU fails m05.4 too, which shows the line and names the file."""
    attention = support.source("solutions", "m04_attention").replace("device=device).tril()", ").tril()")
    sources = support.with_needs("m05_block", support.source("solutions", "m05_block")) | {"m04_attention": attention}

    only = {"test_a_block_runs_where_its_input_is"}
    result = support.grade(sources, only=only, milestones=["m05_block"])
    check = by_task(result)["m05.4"].checks[0]

    assert check.outcome == FAILED and "device of the input" in check.mistake
    assert check.traceback[-1].file == "m04_attention.py"
    shown = " ".join(screen(result, 200).split())
    assert "The error comes out of m04_attention.py: if nox -s grade -- m04" in shown


def test_the_students_own_line_stays_beside_the_likely_mistake():
    """Where an exception of the student's code shows which mistake it is, the line that raised it is shown too."""
    wrong = support.source("solutions", "m04_attention").replace("torch.finfo(scores.dtype).min", "-1e9")

    result = support.grade_one("m04_attention", wrong, only={"test_other_dtypes_go_in_and_come_out"})
    named = [check for check in support.checks(result) if check.mistake]

    assert named and all("masked_fill" in check.traceback[-1].source for check in named)
