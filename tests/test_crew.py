"""Further judges for a long run: what they find is what one judge finds, and none of them can be missed."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
import time
import types

import psutil
import pytest
import support
import systems

from grader import record
from grader.judge import crew, supply
from grader.judge.grading import grade
from grader.judge.planned import Options
from grader.judge.run import Run
from grader.sandbox import cores
from grader.submission import Submission

pytestmark = systems.bubblewrap
LOST_FILE = "m00_warmup.py cannot be imported. The sandbox that ran your code ended under it; grade again."
MIXED = ["m00_warmup", "m02_data", "m03_embedding", "m04_attention"]
SOME = {"m00.1", "m00.2", "m02.1", "m02.2", "m03.1", "m03.2", "m04.1", "m04.2"}  # of their tasks, which are enough


@pytest.fixture
def called(monkeypatch):
    """Have further judges called at once, and count the checks that they judge."""
    monkeypatch.setattr(crew, "LONG_SECONDS", 0)
    taken = []
    take_over = Run.take_over

    def noting(run, check, *ended):
        taken.append(check.id)
        take_over(run, check, *ended)

    monkeypatch.setattr(Run, "take_over", noting)
    return taken


def mixed():
    """A submission with one milestone right, one with a mistake, one not started and one that cannot be read."""
    wrong = support.source("solutions", "m02_data") + "\n\ndef collate(*_):\n    return []\n"
    sources = {
        "m00_warmup": support.source("solutions", "m00_warmup"),
        "m02_data": wrong,
        "m03_embedding": support.source("exercises", "m03_embedding"),
        "m04_attention": "def merge_heads(:\n",
    }
    return Submission("submission", {name: text.encode() for name, text in sources.items()})


def judged(judges, milestones=MIXED, submission=None, listener=None):
    """Grade with so many judges."""
    options = Options(milestones, judges=judges, tasks=SOME)
    return grade(
        options, support.COURSE, submission or mixed(), support.sandbox("bubblewrap"), support.weights(), listener
    )


def without_times(result):
    """Leave out of a record what differs from run to run."""
    plain = record.to_json(dataclasses.replace(result, seconds=0))
    for milestone in plain["milestones"]:
        for task in milestone["tasks"]:
            for check in task["checks"]:
                check["seconds"] = 0
    return plain


def solutions(*milestones):
    """The solutions of these milestones."""
    return Submission("submission", {name: support.source("solutions", name).encode() for name in milestones})


@pytest.mark.parametrize("judges", [2, 4])
def test_several_judges_find_what_one_finds(called, judges):
    """The record is the same but for the times, whoever has judged which check."""
    alone = without_times(judged(1))
    assert not called

    together = judged(judges)

    assert without_times(together) == alone
    assert len(set(called)) == len(called) > 10
    assert {check.outcome for check in support.checks(together)} >= {record.PASSED, record.FAILED, record.NOT_STARTED}


def test_where_workers_could_touch_each_other_there_is_one_judge(called):
    """At a level without namespaces a run has one judge, also when more are asked for."""
    options = Options(["m03_embedding"], judges=3, tasks=SOME)

    result = grade(options, support.COURSE, solutions("m03_embedding"), support.sandbox("process"), support.weights())

    assert result.passed and not called


def test_a_file_is_looked_at_by_one_judge(called, monkeypatch, tmp_path):
    """What one judge finds of a milestone's file the others take from it: an endless import costs its limit once."""
    inspect = supply.inspect

    def noting(milestone, *rest):
        with open(tmp_path / "noted", "a", encoding="ascii") as file:
            file.write(f"{milestone.id}\n")
        return inspect(milestone, *rest)

    monkeypatch.setattr(supply, "inspect", noting)

    judged(3)

    assert called
    assert sorted((tmp_path / "noted").read_text(encoding="ascii").split()) == MIXED


def test_without_room_for_a_process_there_is_one_judge(called, monkeypatch):
    """A run goes on alone where the system refuses a fork."""

    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)

    result = judged(2, ["m03_embedding"], solutions("m03_embedding"))

    assert result.passed and not called


def test_a_short_run_has_one_judge(called, monkeypatch):
    """A run that is over before the others are called is judged by one, and they are gone with it."""
    monkeypatch.setattr(crew, "LONG_SECONDS", 600)

    result = judged(3, ["m03_embedding"], solutions("m03_embedding"))

    assert result.passed and not called
    assert not helpers()


def helpers():
    """The forks of this process that have its own command line."""
    here = psutil.Process()
    found = []
    for child in here.children():
        with contextlib.suppress(psutil.Error):
            if child.cmdline() == here.cmdline():
                found.append(child)
    return found


def test_what_a_lost_judge_had_taken_is_judged_all_the_same(called, monkeypatch):
    """A further judge that dies in the middle costs time and no check: each has exactly one outcome, as without it."""
    tell = crew.Helper.tell
    told = []

    def dying(helper, *ended):
        told.append(ended)
        if len(told) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        tell(helper, *ended)

    monkeypatch.setattr(crew.Helper, "tell", dying)

    result = judged(2, ["m00_warmup", "m02_data"], solutions("m00_warmup", "m02_data"))

    assert result.passed
    assert len(called) == 3


def test_a_judge_lost_while_it_looks_at_a_file_leaves_that_to_another(called, monkeypatch):
    """Whoever waits for what a lost judge would have found of a milestone's file looks at it itself."""
    inspect, first = supply.inspect, os.getpid()

    def dying(*arguments):
        if os.getpid() != first:
            os.kill(os.getpid(), signal.SIGKILL)
        return inspect(*arguments)

    monkeypatch.setattr(supply, "inspect", dying)

    result = judged(
        3, ["m00_warmup", "m02_data", "m03_embedding"], solutions("m00_warmup", "m02_data", "m03_embedding")
    )

    assert result.passed and not helpers()


HANGING = """

import os as _os, time as _time
if min(_os.sched_getaffinity(0)) != {core}:
    _time.sleep(600)
"""


@pytest.mark.skipif(cores.count() < 2, reason="all judges are on one core here, so that none is like another")
def test_what_hangs_for_one_judge_is_not_done_again_by_another(called):
    """A submission that finds out which judge it serves, and hangs for all but the first, is timed out by them."""
    first = min(os.sched_getaffinity(0))
    source = support.source("solutions", "m03_embedding") + HANGING.format(core=first)
    course = dataclasses.replace(
        support.COURSE,
        milestones=tuple(
            dataclasses.replace(each, limits=each.limits.changed(seconds=1)) for each in support.COURSE.milestones
        ),
    )
    options = Options(["m03_embedding"], judges=cores.count(), tasks=SOME)
    submission = Submission("submission", {"m03_embedding": source.encode()})

    result = grade(options, course, submission, support.sandbox("bubblewrap"), support.weights())

    outcomes = {check.id: check.outcome for check in support.checks(result)}
    assert called and {outcomes[name] for name in called} == {record.TIMED_OUT}
    assert len(called) == len(set(called)) < len(outcomes)


def test_a_server_lost_under_several_judges_costs_what_was_running(called):
    """When the server of all judges is killed, each goes on with another, and all that was not running passes."""

    class Killing(support.FirstFailure):
        def __init__(self):
            self.heard = 0

        def check_ended(self, check):
            self.heard += 1
            if self.heard == 5:
                os.kill(support.sandbox("bubblewrap")._pid, signal.SIGKILL)

    milestones = ["m00_warmup", "m02_data", "m03_embedding"]
    try:
        result = judged(2, milestones, solutions(*milestones), Killing())
        outcomes = [check.outcome for check in support.checks(result)]
        assert set(outcomes) <= {record.PASSED, record.CRASHED} and outcomes.count(record.PASSED) > len(outcomes) / 2
        assert not helpers()
    finally:
        support.close_all()


@pytest.mark.parametrize("times", [1, 2])
def test_a_server_lost_while_it_looks_at_a_file_costs_no_milestone(monkeypatch, times):
    """A file at which the sandbox ended is looked at once more; where that happens again, its checks have crashed."""
    sandbox = support.sandbox("bubblewrap")
    sandbox.close()
    made = type(sandbox).worker
    lost = []

    def lose(self, *wanted):
        worker = made(self, *wanted)
        if len(lost) < times:
            lost.append(self._pid)
            os.kill(self._pid, signal.SIGKILL)
        return worker

    monkeypatch.setattr(type(sandbox), "worker", lose)
    try:
        result = judged(1, ["m00_warmup"], solutions("m00_warmup"))
    finally:
        support.close_all()

    assert len(lost) == times
    if times == 1:
        assert result.passed
    for check in support.checks(result) if times == 2 else ():
        assert (check.outcome, check.message) == (record.CRASHED, LOST_FILE)


def test_a_judge_that_says_nothing_is_not_waited_for_for_ever(called, monkeypatch):
    """One that hangs is ended after a while, and the first judge does its work."""
    monkeypatch.setattr(crew, "PATIENCE_SECONDS", -9)  # and 10 for its check
    monkeypatch.setattr(crew.Helper, "tell", lambda *_: time.sleep(600))

    result = judged(2, ["m03_embedding"], solutions("m03_embedding"))

    assert result.passed and not called


def test_an_interrupted_run_leaves_no_judge_behind(called):
    """KeyboardInterrupt ends all judges, and the sandbox goes on to serve."""

    class Impatient(support.FirstFailure):
        def check_ended(self, check):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judged(3, listener=Impatient())

    assert not helpers()
    assert judged(1, ["m03_embedding"], solutions("m03_embedding")).passed


def test_the_listener_hears_of_every_check_in_order(called):
    """Each check is told of once, in the syllabus's order; what others have done meanwhile is a number until then."""

    class Noting(support.FirstFailure):
        def __init__(self):
            self.total, self.heard, self.most_beside = 0, [], 0

        def start(self, total_checks):
            self.total = total_checks

        def check_ended(self, check):
            self.heard.append(check.id)

        def ended_beside(self, ended, passed):
            assert 0 <= passed <= ended and len(self.heard) + ended <= self.total
            self.most_beside = max(self.most_beside, ended)

    noting = Noting()
    result = judged(2, listener=noting)

    assert noting.heard == [check.id for check in support.checks(result)]
    assert noting.most_beside > 0


def test_cores_are_free_again_after_a_run(called):
    """Where every core has a judge each stays on one; afterwards this process may use all that it could before."""
    before = os.sched_getaffinity(0)

    judged(cores.count(), ["m03_embedding"], solutions("m03_embedding"))

    assert os.sched_getaffinity(0) == before


def test_there_are_as_many_judges_as_cores_and_room(monkeypatch, tmp_path):
    """One for each core, four at most, fewer where memory is short or a fork is not safe, one without namespaces."""
    monkeypatch.setattr(cores, "count", lambda: 16)
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(crew, "CONTAINER", ())  # these tests may run in one
    gigabytes = 64

    def memory():
        return types.SimpleNamespace(available=gigabytes * 2**30)

    monkeypatch.setattr(psutil, "virtual_memory", memory)
    workers = types.SimpleNamespace(side_by_side=True, checkpoints={})

    assert crew.most_judges(workers) == 4
    gigabytes = 3
    assert crew.most_judges(workers) == 2
    workers.checkpoints = {"gpt2": "a large file"}
    assert crew.most_judges(workers) == 1
    gigabytes = 64
    assert crew.most_judges(workers) == 4
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert crew.most_judges(workers) == 1
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert crew.most_judges(types.SimpleNamespace(side_by_side=False)) == 1

    limit = tmp_path / "memory.max"
    monkeypatch.setattr(crew, "CONTAINER", (tmp_path / "missing", limit))
    limit.write_text("max\n")
    assert crew.memory() == 64 * 2**30
    limit.write_text(f"{2**31}\n")
    assert crew.memory() == 2**31
