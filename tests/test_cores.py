"""Which core the judge, the worker that it speaks with, and the makers of the next ones run on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
import systems

from grader.sandbox.cores import Cores, keep_to_one

pytestmark = systems.linux


@pytest.fixture
def sleepers():
    """Two processes that do nothing."""
    made = [subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) for _ in range(2)]
    yield [process.pid for process in made]
    for process in made:
        process.kill()
        process.communicate()


@pytest.fixture
def cores():
    """The cores of this machine, with this thread put back on all of them afterwards."""
    allowed = os.sched_getaffinity(0)
    yield allowed
    os.sched_setaffinity(0, allowed)


def test_a_worker_is_here_and_the_server_elsewhere(cores, sleepers):
    """The worker shares the core of the judge's thread, the others are the server's, and one that ends may use all."""
    if len(cores) < 2:
        pytest.skip("it needs two cores")
    worker, server = sleepers
    arranged = Cores()

    arranged.draw_near(worker, server)

    assert len(os.sched_getaffinity(worker)) == 1
    assert os.sched_getaffinity(server) == cores - os.sched_getaffinity(worker)
    arranged.make_room()
    assert os.sched_getaffinity(0) == os.sched_getaffinity(server)
    arranged.let_go(worker)
    assert os.sched_getaffinity(worker) == cores


def test_threads_that_watch_run_anywhere(cores, sleepers):
    """A thread that is started meanwhile may use all cores, whereas the one that starts it stays where it was."""
    if len(cores) < 2:
        pytest.skip("it needs two cores")
    arranged, found = Cores(), []
    arranged.draw_near(*sleepers)
    arranged.make_room()
    own = os.sched_getaffinity(0)

    with arranged.anywhere():
        thread = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
        thread.start()
    thread.join()

    assert found == [cores] and os.sched_getaffinity(0) == own != cores


def test_where_there_is_one_core_all_stay_on_it(cores, sleepers):
    """A judge that keeps to one core, as in a class, moves nobody."""
    one = {min(cores)}
    os.sched_setaffinity(0, one)
    arranged = Cores()

    arranged.draw_near(*sleepers)
    arranged.make_room()

    assert os.sched_getaffinity(0) == one
    assert [os.sched_getaffinity(pid) for pid in sleepers] == [cores, cores]


def test_judges_of_one_run_keep_to_their_cores(cores, sleepers):
    """All threads and workers of such a judge are on its core, the server that serves others too anywhere."""
    if len(cores) < 2:
        pytest.skip("it needs two cores")
    worker, server = sleepers
    arranged = Cores()
    arranged.draw_near(worker, server)
    arranged.settle(worker)
    assert os.sched_getaffinity(server) != cores

    arranged.keep_to_one(1, server)
    one = {sorted(cores)[1]}
    arranged.settle(worker)
    arranged.draw_near(worker, server)
    arranged.make_room()

    threads = [int(thread) for thread in os.listdir("/proc/self/task")]
    assert [os.sched_getaffinity(thread) for thread in threads] == [one] * len(threads)
    assert os.sched_getaffinity(worker) == one
    assert os.sched_getaffinity(server) == cores

    arranged.spread_out()

    assert [os.sched_getaffinity(thread) for thread in threads] == [cores] * len(threads)


def test_one_that_has_ended_is_no_matter(cores):
    """A worker that is gone when it is to be moved is left alone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    Cores().draw_near(process.pid, process.pid)


def test_judges_that_fill_a_machine_have_a_core_each(cores):
    """Numbers one after another stand for one core after another, and begin again after the last."""
    found = []
    for number in range(len(cores) + 1):
        os.sched_setaffinity(0, cores)
        keep_to_one(number)
        found.append(os.sched_getaffinity(0))

    assert found == [{core} for core in [*sorted(cores), min(cores)]]
