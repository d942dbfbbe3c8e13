"""The workers for the next checks, made ready while this one runs."""

from __future__ import annotations

import os
import threading
import types

import pytest
import support
import systems

from grader.judge.ahead import DEPTH, WAITING_MB, Ahead, Loaded
from grader.sandbox import warden
from grader.sandbox.errors import SandboxError
from grader.sandbox.limits import Limits
from grader.sandbox.warden import MEMORY

WAIT = 10  # seconds; only a test that fails waits so long
SOME = {check for task in ("m04.1", "m04.3") for check in support.checks_by_task("m04_attention")[task]}


class FakeWorker:
    """Loads for as long as it is told to, and notes how it ends."""

    def __init__(self, loads_at_once=True):
        self.go_on, self.begun, self.killed, self.ended = threading.Event(), threading.Event(), False, False
        self.limit_broken, self.most = None, WAITING_MB
        if loads_at_once:
            self.go_on.set()

    def load(self, job):
        """Be the job's worker, and return once it may."""
        job.worker = self
        self.begun.set()
        assert self.go_on.wait(WAIT)
        return Loaded(self)

    def hold_back(self, megabytes):
        """Note what it may take."""
        self.most = megabytes

    def kill(self):
        """Stop loading."""
        self.killed = True
        self.go_on.set()

    def end(self):
        """Be gone."""
        self.ended = True


@pytest.fixture
def ahead():
    """One that is closed in any case."""
    made = Ahead()
    yield made
    made.close()


def prepare(ahead, *keys, worker=None):
    """Have workers made ready, and wait until the last one is being loaded."""
    workers = [worker or FakeWorker() for _ in keys]
    for key, each in zip(keys, workers, strict=True):
        ahead.prepare(key, each.load)
    assert workers[-1].begun.wait(WAIT)
    return workers


def test_what_was_prepared_is_taken_once_and_in_order(ahead):
    """The worker made ready for a check serves it with all that it may take, and is nobody else's."""
    second, third = prepare(ahead, "second", "third")

    assert ahead.take("second").worker is second
    assert ahead.take("third").worker is third
    assert ahead.take("third") is None
    assert not second.ended and not third.ended
    assert second.most is None


def test_workers_for_other_checks_end(ahead):
    """A worker with other limits, or of a check that was left out, is no help and goes, and so do those behind it."""
    workers = prepare(ahead, "second", "third")

    assert ahead.take("fourth") is None
    assert [worker.ended for worker in workers] == [True, True]


def test_only_so_many_wait_and_none_twice(ahead):
    """Asking again for a worker that is on its way, or for one too many, does nothing."""
    prepare(ahead, *range(DEPTH))

    for key in (0, DEPTH):
        ahead.prepare(key, FakeWorker().load)

    assert [ahead.take(key) is not None for key in range(DEPTH + 1)] == [True] * DEPTH + [False]


def test_where_one_takes_much_memory_only_one_waits(ahead):
    """A worker that was killed for its memory while it waited is none, and the next one may take what it likes."""
    second, third = prepare(ahead, "second", "third")
    second.limit_broken = MEMORY

    assert ahead.take("second") is None
    assert second.ended and third.ended
    assert (ahead.depth, ahead.room()) == (1, None)


def test_one_that_still_loads_is_killed():
    """A module that never ends at import does not keep a run from ending, for whatever it is imported."""
    for begin in (lambda ahead, work: ahead.prepare("second", work), Ahead.begin):
        ahead, worker, behind = Ahead(), FakeWorker(loads_at_once=False), FakeWorker()
        begin(ahead, worker.load)
        assert worker.begun.wait(WAIT)
        ahead.prepare("third", behind.load)

        ahead.close()

        assert worker.killed and worker.ended
        assert not behind.begun.is_set()


def test_a_sandbox_that_fails_is_the_next_checks_problem(ahead):
    """What goes wrong beside a check is said when the next one asks for its worker."""

    def none(job):
        raise SandboxError("no fork to be had")

    ahead.prepare("second", none)

    with pytest.raises(SandboxError, match="no fork to be had"):
        ahead.take("second")


COUNTS_ITS_IMPORTS = """
import os

for number in range(1, 12):
    try:
        os.mkdir(f"/dev/shm/import{number}")
        break
    except FileExistsError:
        continue
"""


@systems.bubblewrap
def test_neither_worker_sees_the_other():
    """The next check's worker has folders of its own: nothing that this one's import has left is there."""
    name = "m04_attention"
    source = support.source("solutions", name) + COUNTS_ITS_IMPORTS + "assert number == 1\n"

    result = support.grade({name: source}, only=SOME)

    assert support.complaints(result) == [] != support.checks(result)


@systems.bubblewrap
def test_what_an_import_prints_belongs_to_its_check():
    """What a module prints while it is loaded beside another check is said of the check that it is loaded for."""
    name = "m04_attention"
    checks = ("test_three_tokens_see_themselves_and_what_came_before", "test_true_in_the_mask_means_may_look")
    source = support.source("solutions", name) + "\nprint('once')\n"

    result = support.grade({name: source}, only=set(checks))

    assert {check.output.count("once") for check in support.checks(result)} == {1}


ENDS_OTHERWISE_EACH_TIME = """
import os, random, torch

if torch.initial_seed() < 2**32:  # the judge has seeded it, so this is for a check and not for the first look
    number = random.randrange(10**6)  # another one for each check
    print("number", number)
    match number % 4:
        case 0:
            os._exit(number % 50)
        case 1:
            raise ValueError(number)
        case 2:
            causal_mask = number
"""


@systems.bubblewrap
def test_being_made_ready_beside_a_check_changes_no_outcome(monkeypatch):
    """However a module ends and whatever it prints when it is imported, it is said of the same checks as one by one."""
    name = "m04_attention"
    source = support.source("solutions", name) + ENDS_OTHERWISE_EACH_TIME

    def graded():
        result = support.grade({name: source}, level="bubblewrap")
        return [(check.id, check.outcome, check.message, check.output) for check in support.checks(result)]

    beside = graded()
    monkeypatch.setattr(support.sandbox("bubblewrap"), "side_by_side", False)

    assert beside == graded()
    assert {outcome for _, outcome, _, _ in beside} == {"passed", "failed", "crashed"}


TAKES_MUCH_AND_THEN_MORE = """
import threading, time

MUCH = bytearray(b"1" * {now} * 2**20)

def grow():
    time.sleep(0.1)
    MUCH.extend(b"1" * {later} * 2**20)

threading.Thread(target=grow, daemon=True).start()
"""


@systems.bubblewrap
@pytest.mark.parametrize(("now", "later"), [(100, 0), (0, 100)], ids=["at_import", "while_it_waits"])
def test_an_import_may_take_what_its_check_may(now, later):
    """A module that takes more memory than those who wait together may is loaded again, and loses nothing."""
    name = "m04_attention"
    source = support.source("solutions", name) + TAKES_MUCH_AND_THEN_MORE.format(now=now, later=later)

    result = support.grade({name: source}, level="bubblewrap", only=SOME)

    assert support.complaints(result) == []


@pytest.mark.parametrize(("late", "broken"), [(True, None), (False, MEMORY)])
def test_a_look_that_began_while_it_waited_is_not_held_against_it(monkeypatch, late, broken):
    """A worker that is taken for its check while its memory is being added up may have what its check may."""
    (reading, writing), killed = os.pipe(), []
    watched = warden.Warden(0, reading, Limits(memory_mb=1024), lambda: killed.append(True))
    watched.hold_back(WAITING_MB)

    def share_of(pid):
        if late:
            watched.hold_back(None)
        return 200 * warden.MEGABYTE

    monkeypatch.setattr(watched, "_watched", lambda: [1])
    looks = iter([False, True])  # whether it is over, before the first look and before the second
    monkeypatch.setattr(watched, "_done", types.SimpleNamespace(wait=lambda seconds: next(looks)))
    monkeypatch.setattr(warden, "_memory_of", lambda pid: 200 * warden.MEGABYTE)
    monkeypatch.setattr(warden, "_share_of", share_of)
    watched._look()
    os.close(reading)
    os.close(writing)

    assert watched.broken == broken and len(killed) == (broken is not None)


def test_one_that_waits_is_looked_at_seldom_and_often_from_its_check_on(monkeypatch):
    """Who watches a worker sleeps longer between two looks for as long as it is held back."""
    (reading, writing), slept = os.pipe(), []
    watched = warden.Warden(0, reading, Limits(), lambda: None)
    watched.hold_back(WAITING_MB)

    def wait(seconds):
        slept.append(seconds)
        watched.hold_back(None)
        return len(slept) == 2

    monkeypatch.setattr(watched, "_watched", list)
    monkeypatch.setattr(watched, "_done", types.SimpleNamespace(wait=wait))
    watched._look()
    os.close(reading)
    os.close(writing)

    assert slept == [warden.LOOK_SELDOM, warden.LOOK_EVERY]
