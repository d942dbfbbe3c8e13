"""Withheld tasks: what goes with their checks, what stays whole without them, and how they count."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import support

from grader import record, syllabus
from grader.handout import contents, withholding


@pytest.mark.parametrize("parity", [0, 1])
def test_suites_with_tasks_left_out_are_whole(tmp_path, parity):
    """Whichever tasks are withheld, what is left of the suites uses no name that is gone, and imports none in vain."""
    tasks = [task.id for milestone in support.COURSE.milestones for task in milestone.tasks]
    gone = {task for index, task in enumerate(tasks) if index % 2 == parity}
    sources = contents.modules(support.REPOSITORY / "grader", "grader")
    texts = withholding.suites(
        {n: s for n, s in sources.items() if n.startswith(contents.TRIMMED)}, support.COURSE, gone
    )
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        left = set(re.findall(r'@pytest\.mark\.task\("(m\d\d\.\d+)"\)', text))
        assert not left & gone
    rules = ["--isolated", "--select", "F401,F811,F821", "--target-version", "py311"]
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert ruff.returncode == 0, ruff.stdout[-3000:] + ruff.stderr


def test_what_only_withheld_checks_need_goes_with_them():
    """The reference of a withheld task is not in the handout unless another check compares with it."""
    sources = contents.modules(support.REPOSITORY / "grader", "grader")
    mine = {n: s for n, s in sources.items() if n.startswith(contents.TRIMMED)}
    without = withholding.suites(mine, support.COURSE, {"m17.3"})["grader.suites.m17_retriever.oracle"]
    alone = withholding.suites(mine, support.COURSE, {f"m17.{number}" for number in (1, 2, 3, 4, 5)})

    assert "def bm25(" in mine["grader.suites.m17_retriever.oracle"].text and "def bm25_misses(" not in without
    assert "def tf_idf(" in without
    assert "grader.suites.m17_retriever.oracle" not in alone and "grader.suites.m17_retriever.test_suite" not in alone


def test_a_stretch_goal_stays_where_its_milestone_is_whole():
    """A room's measure is handed out with its milestone, and not where some of its checks are withheld."""
    sources = contents.modules(support.REPOSITORY / "grader", "grader")
    mine = {n: s for n, s in sources.items() if n.startswith(contents.TRIMMED)}

    texts = withholding.suites(mine, support.COURSE, {"m17.3"})

    assert "grader.suites.m13_quantization.stretch" in texts and "grader.suites.shared.stretching" in texts
    assert "grader.suites.m17_retriever.stretch" not in texts


def test_withheld_tasks_are_neither_passed_nor_lost():
    """A task whose checks run elsewhere claims no points and is no fault; the rest decides whether all is well."""
    good = record.Check("c", "t", record.PASSED, evidence=[record.VALUE])
    done = record.Task("m04.1", "A", 2, earned=2, checks=[good])
    elsewhere = record.Task("m04.2", "B", 5, withheld=7)
    mixed = record.Milestone("m04_attention", "M", [done, elsewhere])
    only = record.Milestone("m05_block", "M", [record.Task("m05.1", "C", 5, withheld=3)])

    def run(*milestones):
        return record.Record("1", "exercises", "0", "cpu", "bubblewrap", milestones=list(milestones))

    assert elsewhere.outcome == record.WITHHELD
    assert mixed.passed and mixed.earned == 2 and mixed.possible == 7 and mixed.withheld == 7
    assert run(mixed, only).passed and run(mixed, only).withheld == 10
    assert not only.passed and not run(only).passed and not run(only).grader_at_fault
    assert run(record.Milestone("m06_gpt", "M", [record.Task("m06.1", "D", 1)])).grader_at_fault
    again = record.from_json(json.loads(json.dumps(record.to_json(run(mixed, only)))))
    assert again.milestones[0].tasks[1].withheld == 7
    plain = record.to_json(run(record.Milestone("m", "M", [done])))
    assert plain["milestones"][0]["tasks"][0]["withheld"] == 0


def test_a_name_that_is_none_cannot_be_withheld():
    """--withhold takes milestones and tasks, and says what it does not know."""
    assert withholding.tasks_named(["m04", "4.2", "m05.1"], support.COURSE) == [
        "m04.1",
        "m04.2",
        "m04.3",
        "m04.4",
        "m05.1",
    ]
    for wrong in ("m99", "m04.9", ""):
        with pytest.raises(syllabus.SyllabusError):
            withholding.tasks_named([wrong], support.COURSE)
