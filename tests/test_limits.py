"""Limits: time, memory, processes, output and files are contained, and nothing outlives a worker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
import systems
from opened import LIMITS, Opened, here, loses, nothing_left

from grader.sandbox import warden
from grader.sandbox.errors import StudentError, WorkerLost


@here
@pytest.mark.parametrize(
    "body",
    [
        pytest.param("while True: pass", id="loop"),
        pytest.param(
            "import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n    while True: pass",
            id="deaf",
            marks=systems.posix,
        ),
    ],
)
def test_time_is_limited(level, body):
    """A worker over its time is killed, whatever signals it ignores."""
    assert loses(level, f"def go():\n    {body}", seconds=1).limit == "time"


BUSY = """
import os, time
os.sched_setaffinity(0, {int(os.environ["CORE"])})
print("busy", flush=True)
while True: pass
"""


@here
@systems.linux
def test_waiting_for_a_processor_is_not_the_students_time(level, monkeypatch):
    """Work that takes less than its limit, and longer than it by the clock of a crowded core, ends in its time."""
    monkeypatch.setattr(warden, "PATIENCE", 100)  # however busy the machine is that tests this
    code = """
        import time
        def work(seconds):
            began = time.thread_time()
            while time.thread_time() - began < seconds: pass
            return "done"
    """
    core = min(os.sched_getaffinity(0))
    environment = os.environ | {"CORE": str(core)}
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(Opened(code, level, replace(LIMITS, seconds=1.2)))
        for pid in (opened.worker.warden.root, *warden.below(opened.worker.warden.root)):
            os.sched_setaffinity(pid, {core})
        for _ in range(3):
            busy = subprocess.Popen([sys.executable, "-c", BUSY], env=environment, stdout=subprocess.PIPE)
            stack.enter_context(busy)
            stack.callback(busy.kill)
            assert busy.stdout.readline() == b"busy\n"
        began = time.monotonic()

        assert opened.call("work", 0.4) == "done"
        assert time.monotonic() - began > 0.4  # or nothing was shown


@here
@systems.linux
def test_collecting_a_lost_worker_is_not_the_students_time(level, monkeypatch):
    """One that was killed from outside is lost, and not out of time, however long it takes to learn how it ended."""
    with Opened("import time\ndef sleep():\n    time.sleep(60)", level, replace(LIMITS, seconds=1)) as opened:
        finish = opened.worker._finish

        def slowly(wait):
            time.sleep(1.5)
            return finish(wait)

        monkeypatch.setattr(opened.worker, "_finish", slowly)
        root = opened.worker.warden.root
        killer = threading.Timer(0.2, lambda: [os.kill(pid, signal.SIGKILL) for pid in [*warden.below(root), root][:1]])
        killer.start()
        with pytest.raises(WorkerLost) as lost:
            opened.call("sleep")
        killer.join()

    assert lost.value.limit is None


@pytest.mark.parametrize(
    ("late", "waited", "worked", "is_late"),
    [
        (-0.1, 0.0, 11.0, False),  # on several processors
        (0.1, 0.0, 0.0, True),  # it slept
        (0.1, 0.2, 9.9, False),
        (0.1, 0.2, 10.1, True),
        (2.0, 1.9, 0.0, True),
        (29.0, 60.0, 0.0, False),
        (31.0, 60.0, 0.0, True),  # enough is enough
    ],
)
def test_lateness_is_what_is_left_of_the_clock_without_waiting(monkeypatch, late, waited, worked, is_late):
    """A limit of ten seconds is gone over by work, by what was not spent waiting, and at four times itself."""
    monkeypatch.setattr(warden, "_waited_by", lambda pid: 5.0)
    reading, writing = os.pipe()
    watched = warden.Warden(1, reading, LIMITS, lambda: None, itself=True)
    monkeypatch.setattr(watched, "_watched", lambda: [1])
    monkeypatch.setattr(watched, "cpu_seconds", lambda: 3.0)
    watched.allow(10.0)
    monkeypatch.setattr(watched, "cpu_seconds", lambda: 3.0 + worked)
    monkeypatch.setattr(warden, "_waited_by", lambda pid: 5.0 + waited)

    assert watched._is_late(late) is is_late
    os.close(reading)
    os.close(writing)


@here
@pytest.mark.parametrize(
    "body",
    [
        "x = []\n    while True: x.append(bytearray(10_000_000))",
        "import torch\n    x = []\n    while True: x.append(torch.ones(2_000_000))",
        pytest.param(
            "import mmap\n    x = []\n    while True:\n"
            "        x.append(mmap.mmap(-1, 10_000_000, flags=mmap.MAP_PRIVATE)); x[-1].write(b'1' * 10_000_000)",
            marks=systems.posix,
        ),
    ],
    ids=["lists", "tensors", "mappings"],
)
def test_memory_is_limited(level, body):
    """A worker that grows past its limit is killed, or refused the memory, and the judge sees which."""
    with Opened(f"def go():\n    {body}", level) as opened, pytest.raises((WorkerLost, StudentError)) as ended:
        opened.call("go")
    if isinstance(ended.value, WorkerLost):
        assert ended.value.limit == "memory"
    else:
        assert ended.value.kind in ("MemoryError", "RuntimeError", "OSError")


@here
@systems.linux
def test_memory_given_back_is_seen_as_growth_when_it_is_taken_again(level):
    """After `give_back`, what the worker takes shows from outside, though it had freed as much before."""
    code = """
        held = []
        def freed():
            for _ in range(500):
                held.append(bytearray(100_000))
            held.clear()
        def taken():
            held.append(b"x" * 40_000_000)
    """
    with Opened(code, level) as opened:
        opened.call("freed")
        opened.worker.conversation.request("probe", name="give_back", args=[], kwargs={}, planted=None)
        before = opened.worker.memory_mb()
        opened.call("taken")
        assert opened.worker.memory_mb() - before > 30


@systems.linux
def test_processes_are_limited():
    """A fork bomb meets a limit of its own namespace, and the machine does not notice."""
    code = """
        import os
        def go():
            count = 0
            while True:
                try:
                    if os.fork() == 0:
                        while True: pass
                    count += 1
                except OSError as error:
                    return [count, type(error).__name__]
    """
    with Opened(code, "bubblewrap", LIMITS.changed(processes=10)) as opened:
        try:
            seen = opened.call("go")
        except WorkerLost as lost:
            seen = [0, lost.limit]
    assert seen[0] < 10 and seen[1] in ("BlockingIOError", "processes")


@here
def test_output_is_limited(level):
    """A worker that prints without end is killed; the beginning is kept."""
    code = "def go():\n    while True: print('x' * 1000)"
    with Opened(code, level) as opened:
        with pytest.raises(WorkerLost) as lost:
            opened.call("go")
        assert lost.value.limit == "output"
        assert 64 * 1024 < len(opened.worker.output) <= 64 * 1024 + 1


@here
def test_a_file_is_limited(level):
    """A file that grows past its limit gives an OSError in the student's code."""
    code = "def go():\n    with open('big', 'wb') as file:\n        while True: file.write(bytes(1_000_000))"
    with Opened(code, level) as opened, pytest.raises(StudentError) as error:
        opened.call("go")
    assert error.value.kind == "OSError"


@here
@systems.posix
def test_a_crash_is_seen_as_one(level):
    """A hard crash in C is attributed to its signal, and the next worker is unharmed."""
    lost = loses(level, "def go():\n    import ctypes\n    ctypes.string_at(0)")

    assert lost.limit is None and lost.exit_code == 128 + 11


@here
def test_an_exit_is_seen_as_one(level):
    """os._exit ends the worker and nothing else."""
    assert loses(level, "def go():\n    import os\n    os._exit(0)").exit_code == 0


@here
@systems.linux
def test_a_daemon_does_not_survive(level):
    """A process that the worker detached is gone when the worker is ended."""
    code = """
        import os, time
        def go():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    while True: time.sleep(1)
                os._exit(0)
            time.sleep(0.2)
            return 1
    """
    with Opened(code, level) as opened:
        assert opened.call("go") == 1
        assert len(warden.below(opened.worker.warden.root)) >= 2
    assert nothing_left(level, opened.worker.warden.root)


@here
def test_what_it_prints_is_kept_up_to_its_death(level):
    """Output printed before a worker is killed is kept."""
    code = "def go():\n    print('so far')\n    while True: pass"
    with Opened(code, level, LIMITS.changed(seconds=1)) as opened:
        with pytest.raises(WorkerLost):
            opened.call("go")
        assert opened.worker.output == "so far\n"
