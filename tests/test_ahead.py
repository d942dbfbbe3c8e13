"""The worker for the next check, made ready while this one runs."""

from __future__ import annotations

import threading

import pytest
import support
import systems

from grader.judge.ahead import Ahead, Loaded
from grader.sandbox.errors import SandboxError

WAIT = 10  # seconds; only a test that fails waits so long


class FakeWorker:
    """Loads for as long as it is told to, and notes how it ends."""

    def __init__(self, loads_at_once=True):
        self.go_on, self.killed, self.ended = threading.Event(), False, False
        if loads_at_once:
            self.go_on.set()

    def load(self):
        """Return once it may."""
        assert self.go_on.wait(WAIT)
        return Loaded(self)

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


def prepare(ahead, key, worker):
    """Have a worker made ready, and wait until it is being loaded."""
    begun = threading.Event()

    def load(made):
        begun.set()
        return made.load()

    ahead.prepare(key, lambda: worker, load)
    assert begun.wait(WAIT)


def test_what_was_prepared_is_taken_once(ahead):
    """The worker made ready for a check serves it, and is nobody else's."""
    worker = FakeWorker()
    prepare(ahead, "second", worker)

    assert ahead.take("second").worker is worker
    assert ahead.take("second") is None
    assert not worker.ended


def test_a_worker_for_another_check_ends(ahead):
    """A worker with other limits, or of a check that was left out, is no help and goes."""
    worker = FakeWorker()
    prepare(ahead, "second", worker)

    assert ahead.take("third") is None
    assert worker.ended


def test_one_that_still_loads_is_killed():
    """A module that never ends at import does not keep a run from ending."""
    ahead, worker = Ahead(), FakeWorker(loads_at_once=False)
    prepare(ahead, "second", worker)

    ahead.close()

    assert worker.killed and worker.ended


def test_a_sandbox_that_fails_is_the_next_checks_problem(ahead):
    """What goes wrong beside a check is said when the next one asks for its worker."""

    def none():
        raise SandboxError("no fork to be had")

    ahead.prepare("second", none, lambda worker: Loaded(worker))

    with pytest.raises(SandboxError, match="no fork to be had"):
        ahead.take("second")


COUNTS_ITS_IMPORTS = """
import os

for number in range(1, 4):
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

    result = support.grade({name: source})

    assert result.passed, support.complaints(result)


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
