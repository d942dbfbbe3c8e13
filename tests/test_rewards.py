"""What a passed milestone says: the student's own figures, the next milestone, the capstone; never officially."""

from __future__ import annotations

import argparse
import io

import pytest
import support
from rich.console import Console

from grader import record
from grader.capstone.parts import NEEDED
from grader.commands.onward import onward
from grader.judge.grading import grade
from grader.judge.planned import Options
from grader.progress import Progress
from grader.reports.onward import achievements
from grader.reports.student_view import student_view
from grader.reports.terminal import report as terminal
from grader.submission import Submission, collect

COURSE, MILESTONES = support.COURSE, support.MILESTONES
OPTIONS = argparse.Namespace(submission=None, student=None)


def passed(name, *sentences, reused=False, outcome=record.PASSED):
    """Return a milestone's result whose only check has achieved something."""
    milestone = COURSE.milestone(name)
    tasks = []
    for task in milestone.tasks:
        said = list(sentences) if task is milestone.tasks[0] else []
        check = record.Check("test_it", "It holds.", outcome, [record.VALUE], achieved=said)
        tasks.append(record.Task(task.id, task.title, task.points, task.points, [check]))
    return record.Milestone(milestone.id, milestone.title, tasks, reused=reused)


def result_of(*milestones, **facts):
    """Return the record of a run."""
    return record.Record("0.1.0+ab", "exercises", "0", "cpu", "bubblewrap", milestones=list(milestones), **facts)


def shown(result, further=None):
    """Return a report as text."""
    out = io.StringIO()
    terminal.render(result, Console(file=out, width=100), onward=further)
    return out.getvalue()


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Progress and keepsakes of nobody else."""
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ── the judge ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("settings", [{}, {"rewarding": True, "secret_seed": True}])
def test_only_whoever_practises_is_told(settings):
    """Runs of classes, pull requests and secret seeds keep nothing of it, since it may quote what the code wrote."""
    options = Options(["m17_retriever"], {"test_bm25_finds_the_passages_that_answer"}, **settings)
    submission = collect(support.REPOSITORY / "solutions", COURSE)

    result = grade(options, COURSE, submission, support.sandbox(), support.weights())

    (check,) = support.checks(result)
    assert check.outcome == record.PASSED
    assert check.achieved == []


def test_what_a_failed_check_found_is_not_kept():
    """A check that fails has achieved nothing, whatever it had noted before."""
    source = support.source("solutions", "m17_retriever")
    head = "    def search(self, query: str, k: int)"
    assert source.count(head) == 1
    source = source.replace(
        head, f"    def search(self, query, k, /):\n        return []\n\n{head.replace('search', 'gone')}"
    )
    options = Options(["m17_retriever"], {"test_bm25_finds_the_passages_that_answer"}, rewarding=True)

    submission = Submission("mine", {"m17_retriever": source.encode()})
    result = grade(options, COURSE, submission, support.sandbox(), support.weights())

    assert [(check.outcome, check.achieved) for check in support.checks(result)] == [(record.FAILED, [])]


# ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_ends_with_what_was_achieved():
    """The sentences of passed milestones stand at the end, cleaned of what a student's text may hold."""
    result = result_of(passed("m07", "It wrote “\x1b[2Jonce ::error::”, 5 words."), passed("m08", "Loss 1.06."))

    text = shown(result)

    assert "Achieved   m07  It wrote “once : :error::”, 5 words." in text
    assert "m08  Loss 1.06." in text
    assert "\x1b[2J" not in text


def test_what_is_unfinished_or_official_achieves_nothing():
    """A milestone that has not passed, and any official run, says nothing of it in any report."""
    open_ = passed("m07", "Five words.", outcome=record.FAILED)
    official = result_of(passed("m08", "Loss 1.06."), official=True, secret_seed=True)

    assert achievements(result_of(open_)) == []
    assert achievements(official) == achievements(student_view(official)) == []
    assert "Loss 1.06" not in shown(official) + shown(student_view(official))
    assert all(check.achieved == [] for check in support.checks(student_view(official)))


def test_a_long_report_tells_news_alone():
    """Of many milestones those that were just graded speak; of a few all do."""
    old, new = passed("m00", "Old 1.", reused=True), passed("m01", "New 2.")

    assert [said for _, said in achievements(result_of(old, new))] == ["Old 1.", "New 2."]
    several = [passed(name, reused=True) for name in ("m02", "m03")]
    assert [said for _, said in achievements(result_of(old, new, *several))] == ["New 2."]


# ── what comes next ───────────────────────────────────────────────────────────────────────────────────────────────────


def further(result, options=OPTIONS):
    """Return where it goes on."""
    return onward(result, COURSE, options, lambda name: f"nox -s grade -- {name}")


def test_the_next_milestone_is_named(state):
    """After a milestone the first open one behind it is next, and at the end the first that was left out."""
    text = shown(result_of(passed("m04")), further(result_of(passed("m04"))))

    assert "Next       m05 A transformer block: read exercises/m05_block.md, open exercises/m05_block.py." in text
    assert "Then run nox -s grade -- m05" in text
    assert "python -m grader compare m04" in text
    last = MILESTONES[-1]
    assert further(result_of(passed(last))).name.startswith("m00")
    Progress().remember(state / "exercises", [passed("m00")], {"m00_warmup": "k"})
    assert further(result_of(passed(last))).name.startswith("m01")


def test_some_tasks_are_no_whole_milestone(state):
    """Where only some tasks were graded, the milestone goes on with the next one, until it is known to have passed."""
    part = passed("m04")
    part.tasks = part.tasks[:2]

    found = further(result_of(part))
    text = shown(result_of(part), found)

    assert "Next       m04.3 Splitting and merging heads: read exercises/m04_attention.md" in text
    assert "Then run nox -s grade -- m04.3" in text
    assert found.more == () and found.capstone == ""
    Progress().remember(state / "exercises", [passed("m04")], {"m04_attention": "k"})
    assert further(result_of(part)).name.startswith("m05")


def test_behind_the_last_task_comes_the_whole_milestone(state):
    """Tasks that are known to have passed are not named again; behind the last one the milestone is graded whole."""
    last, known = passed("m08"), passed("m08")
    last.tasks = last.tasks[-1:]
    assert further(result_of(last)).command == "nox -s grade -- m08"
    first = passed("m08")
    first.tasks = first.tasks[:1]
    assert further(result_of(first)).name.startswith("m08.2 ")
    known.tasks[-1].checks[0].outcome, known.tasks[-1].earned = record.FAILED, 0.0
    Progress().remember(state / "exercises", [known], {"m08_training": "k"})
    assert further(result_of(first)).name == f"{known.tasks[-1].id} {known.tasks[-1].title}"


def test_the_capstone_comes_after_all_that_it_is_made_of(state):
    """Once every milestone of the capstone has passed, it is next, until there is a model of it."""
    rest = [passed(name) for name in NEEDED if name != "m08_training"]
    assert further(result_of(passed("m08"))).capstone == ""
    Progress().remember(state / "exercises", rest, dict.fromkeys(NEEDED, "k"))

    found = further(result_of(passed("m08")))
    text = shown(result_of(passed("m08")), found)

    assert "Next       Train a GPT out of your own parts, and let it write you a story: nox -s capstone" in text
    assert "Then       m09 Scaling" in text
    (state / ".scratchwork" / "capstone").mkdir(parents=True)
    (state / ".scratchwork" / "capstone" / "model.json").write_text("{}")
    assert further(result_of(passed("m08"))).capstone == ""


def test_whoever_has_passed_everything_is_told_so(state):
    """After the last milestone there is none to name."""
    everything = result_of(*(passed(name) for name in MILESTONES))
    (state / ".scratchwork" / "capstone").mkdir(parents=True)
    (state / ".scratchwork" / "capstone" / "model.json").write_text("{}")

    assert "You have passed every milestone there is here." in shown(everything, further(everything))


def test_nothing_is_next_where_something_is_open_or_counts(state):
    """An unfinished run has its own next thing, and an official one names no way on."""
    assert further(result_of(passed("m04", outcome=record.FAILED))) is None
    assert further(result_of(passed("m04"), official=True, secret_seed=True)) is None
