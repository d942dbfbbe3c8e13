"""The sandbox: what a worker can see and use, what comes back from it, and whose time it takes."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import support
import systems
from opened import LEVELS, LIMITS, SPY, Opened, here

from grader.sandbox import bubblewrap, levels, warden
from grader.sandbox.conversation import Callback, Items, each
from grader.sandbox.errors import StudentError, WorkerLost

if support.on_linux():
    from grader.sandbox.inside import linux as linux_calls
    from grader.sandbox.inside import refusals


@systems.linux
def test_bubblewrap_shows_nothing_but_python_and_the_allowed_packages():
    """Inside bubblewrap neither the repository, nor the home folders, nor other packages exist."""
    with Opened(SPY, "bubblewrap") as opened:
        assert set(opened.call("folders", "/site")) <= set(bubblewrap.packages.allowed_packages())
        assert not {"transformers", "tiktoken", "pytest"} & set(opened.call("folders", "/site"))
        assert opened.call("read", str(support.REPOSITORY / "grader" / "syllabus.toml")) == "FileNotFoundError"
        assert opened.call("read", "/etc/passwd") == "FileNotFoundError"
        assert opened.call("folders", "/proc") == ["cpuinfo"]
        assert opened.call("folders", "/tmp") == ["exercises"]


@systems.linux
def test_a_worker_in_bubblewrap_is_nobody():
    """It is process 1 of its namespace, no root, with an environment of only what the sandbox sets."""
    with Opened(SPY, "bubblewrap") as opened:
        pid, uid, environment = opened.call("identity")

    assert pid == 1 and uid != 0
    by_themselves = {"PWD", "LC_CTYPE", "TORCHINDUCTOR_CACHE_DIR"}  # set by Python and torch inside the worker
    assert set(environment) <= set(bubblewrap.environment()) | by_themselves


@systems.linux
def test_a_worker_in_bubblewrap_cannot_get_privileges_back():
    """It can neither make another user namespace nor write to the view it was given."""
    with Opened(SPY, "bubblewrap") as opened:
        assert opened.call("new_user_namespace") == -1
        for path in ("/worker/inside/wire.py", "/site/x", "/x", "/usr/lib/x", "/proc/x"):
            assert opened.call("write", path) in ("OSError", "PermissionError", "FileNotFoundError"), path
        assert opened.call("write", "/tmp/x") == "written"


@systems.linux
def test_a_worker_in_bubblewrap_has_no_network():
    """A server on this machine's loopback cannot be reached."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, Opened(SPY, "bubblewrap") as opened:
        assert opened.call("connect", server.getsockname()[1]) == "OSError"


@systems.linux
@here
def test_memory_that_the_judge_cannot_see_is_refused(level):
    """No memfd, no System V segment and no anonymous shared mapping, also not by the calls' other numbers."""
    code = """
        import ctypes, mmap, os, socket
        libc = ctypes.CDLL(None, use_errno=True)
        def refused(what, *args):
            try:
                what(*args)
            except OSError as error:
                return error.errno
        def memory():
            return [refused(os.memfd_create, "x"), refused(mmap.mmap, -1, 4096), libc.shmget(0, 4096, 0o1600),
                    refused(socket.socket, 40, socket.SOCK_STREAM)]
        def x32():
            return libc.syscall(0x40000000 + 319, b"x", 0), ctypes.get_errno()
    """
    if not refusals.can_refuse_calls():
        pytest.skip("this machine has no system-call filters")
    with Opened(code, level) as opened:
        assert opened.call("memory") == [errno.EPERM, errno.EPERM, -1, errno.EPERM]
        if os.uname().machine == "x86_64":
            assert opened.call("x32") == (-1, errno.ENOSYS)


@systems.linux
@here
def test_what_is_no_namespaces_own_is_refused(level):
    """No keyring, no lock on a file, no lease and no watch, by which workers would meet; other uses of fcntl stay."""
    code = """
        import ctypes, fcntl, os
        libc = ctypes.CDLL(None, use_errno=True)
        keys = (248, 249, 250) if os.uname().machine == "x86_64" else (217, 218, 219)
        file = os.open("mine", os.O_RDWR | os.O_CREAT)
        record = bytes(64)
        def error(what, *args):
            ctypes.set_errno(0)
            try:
                return ctypes.get_errno() if what(*args) == -1 else 0
            except OSError as error:
                return error.errno
        def keyrings():
            return [error(libc.syscall, number, b"user", b"x", b"x", 1, -3) for number in keys]
        def locks():
            return [error(fcntl.flock, file, fcntl.LOCK_SH), error(fcntl.lockf, file, fcntl.LOCK_EX)] + [
                    error(fcntl.fcntl, file, command, record) for command in (6, 7, 37, 38, 1024, 1026)]
        def watches():
            return [error(libc.inotify_init), error(libc.inotify_init1, 0), error(libc.fanotify_init, 0x200, 0)]
        def ordinary():
            return fcntl.fcntl(file, fcntl.F_SETFD, fcntl.FD_CLOEXEC), fcntl.fcntl(file, fcntl.F_GETFD)
    """
    if not refusals.can_refuse_calls():
        pytest.skip("this machine has no system-call filters")
    with Opened(code, level) as opened:
        assert opened.call("keyrings") == [errno.EPERM] * 3
        assert opened.call("locks") == [errno.EPERM] * 8
        assert opened.call("watches") == [errno.EPERM] * 3
        assert opened.call("ordinary") == (0, 1)


@systems.linux
@here
def test_ordinary_shared_memory_and_sockets_stay(level):
    """Processes that share tensors and queues, threads, pairs of sockets and an event loop work under the filter."""
    code = """
        import asyncio, mmap, multiprocessing, socket, threading
        import torch
        def add(shared, value, queue):
            shared += 1
            value.value += 1
            queue.put("done")
        def go():
            context = multiprocessing.get_context("fork")
            shared, value, queue = torch.zeros(3).share_memory_(), context.Value("i", 1), context.SimpleQueue()
            process = context.Process(target=add, args=(shared, value, queue))
            process.start()
            process.join()
            one, other = socket.socketpair()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            one.send(b"x")
            thread = threading.Thread(target=other.recv, args=(1,))
            thread.start()
            thread.join()
            mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE).close()
            return [shared.tolist(), value.value, queue.get(), asyncio.run(asyncio.sleep(0, "slept"))]
    """
    with Opened(code, level) as opened:
        assert opened.call("go") == [[1.0, 1.0, 1.0], 2, "done", "slept"]


@systems.linux
def test_a_step_that_fails_ends_the_fork():
    """What a fork gives up is given up in order; the first step that the system refuses is an error that names it."""
    taken = []
    with pytest.raises(OSError, match="prctl 9999"):
        linux_calls.perform(
            [(taken.append, (1,), ""), linux_calls.step("prctl", 9999, 0, 0, 0, 0), (taken.append, (2,), "")]
        )
    assert taken == [1]


@systems.linux
def test_a_rehearsal_leaves_nothing_behind():
    """After the server has rehearsed, neither modules of a submission nor ways to find them are there, nor a thread."""
    code = """
        import os, sys
        sys.path.insert(0, sys.argv[1])
        import torch
        torch.set_num_threads(1)
        from inside.rehearsal import rehearse
        def state():
            return list(sys.path), list(sys.meta_path), [name for name in sys.modules if "exercises" in name]
        before = state()
        rehearse()
        finders = [path for path in sys.path_importer_cache if "exercises" in path]
        print(state() == before, finders, len(os.listdir("/proc/self/task")))
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    argv = [sys.executable, "-c", textwrap.dedent(code), str(bubblewrap.packages.INSIDE.parent)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, check=False)

    assert done.stdout == "True [] 1\n", done.stderr


@systems.linux
def test_a_machine_without_filters_is_told_of_beforehand(monkeypatch):
    """Where system calls cannot be refused, the levels for official runs say so in one line."""
    assert levels.gaps("bubblewrap") == [] or not refusals.can_refuse_calls()
    monkeypatch.setattr(refusals, "can_refuse_calls", lambda: False)
    assert "memory that no process maps" in levels.gaps("bubblewrap")[-1]


@here
@systems.linux
def test_a_worker_inherits_no_descriptor(level):
    """Only standard streams and its own channel are open."""
    with Opened(SPY, level) as opened:
        assert opened.call("descriptors") == [0, 1, 2, 3]


@systems.linux
def test_one_worker_cannot_kill_the_next():
    """A worker that kills everything it can reaches itself alone; the server goes on serving."""
    before = support.sandbox("bubblewrap")
    before.wait()
    server = before._pid
    with Opened(SPY, "bubblewrap") as opened:
        try:
            opened.call("kill_everything")
        except (WorkerLost, StudentError) as reached:
            print("it reached", reached)
    with Opened(SPY, "bubblewrap") as opened:
        assert opened.call("identity")[0] == 1

    assert before._pid == server


@here
def test_the_dead_of_one_worker_do_not_count_as_the_nexts(level):
    """A worker may have as many processes as the limits say, whatever an earlier one has left to be collected."""
    code = """
        import os, signal
        def fork(number):
            for _ in range(number):
                if os.fork() == 0:
                    signal.pause()
    """
    for _ in range(2):
        with Opened(code, level) as opened:
            opened.call("fork", LIMITS.processes - 5)
            time.sleep(3 * warden.LOOK_EVERY)
            assert opened.worker.limit_broken is None


@here
def test_nothing_is_left_from_one_worker_to_the_next(level):
    """Files, module globals and patched builtins of one worker are gone in the next."""
    code = """
        import builtins, os, torch
        def leave():
            builtins.found = torch.found = 1
            open(os.path.join(os.getcwd(), "found"), "w").close()
        def look():
            return [hasattr(builtins, "found"), hasattr(torch, "found"), os.path.exists("found")]
    """
    with Opened(code, level) as opened:
        opened.call("leave")
        assert opened.call("look") == [True, True, True]
    with Opened(code, level) as opened:
        assert opened.call("look") == [False, False, False]


@here
@systems.linux
def test_the_server_is_replaced_when_it_dies(level):
    """A fork server that was killed is booted anew for the next worker."""
    workers = support.sandbox(level)
    workers.wait()
    everything = [workers._pid, *warden.below(workers._pid)]
    os.kill(workers._pid, 9)
    while not all(warden._is_dead(pid) for pid in everything):
        time.sleep(0.01)
    with Opened(SPY, level) as opened:
        assert opened.call("read", "/") == "IsADirectoryError"


@systems.bubblewrap
def test_a_judge_that_leaves_takes_its_workers_along():
    """What a further judge had is ended when it hangs up, also in the middle of a call; the first goes on unharmed."""
    first = support.sandbox("bubblewrap")
    other = first.for_another_judge()
    mine, theirs = first.worker(LIMITS), other.worker(LIMITS)
    theirs.conversation.request("load", sources={"m99_trial.py": b""}, module="m99_trial", trace=[], blocked=[])
    theirs.channel.send({"dict": [["op", "call"]]}, [])
    os.kill(theirs.warden.root, signal.SIGSTOP)  # it cannot end by itself

    other.hang_up()

    end = time.monotonic() + 10
    while not warden._is_dead(theirs.warden.root) and time.monotonic() < end:
        time.sleep(0.01)
    assert warden._is_dead(theirs.warden.root) and not warden._is_dead(mine.warden.root)
    with contextlib.suppress(WorkerLost):
        theirs.end()
    mine.end()
    with Opened(SPY, "bubblewrap") as opened:
        assert opened.call("identity")[0] == 1


@systems.bubblewrap
@pytest.mark.parametrize("greeted", [True, False], ids=["greeted", "not_greeted"])
def test_a_further_judge_survives_the_death_of_the_server(greeted):
    """One whose server is gone starts one of its own, and ends it, whether or not it had been greeted."""
    first = support.sandbox("bubblewrap")
    first.wait()
    if not greeted:
        os.kill(first._pid, signal.SIGSTOP)
    other = first.for_another_judge()
    if greeted:
        other.wait()
    os.kill(first._pid, signal.SIGKILL)

    worker = other.worker(LIMITS)
    assert worker.conversation.request("roll", dice=1) is None
    worker.end()
    other.close()
    with Opened(SPY, "bubblewrap") as opened:
        assert opened.call("identity")[0] == 1


def test_a_worker_started_afresh_serves_the_same():
    """Where forking is unsafe, a started worker answers, prints and dies in the same way."""
    code = "def go(x):\n    print('hello')\n    return x + 1\ndef stop():\n    import os\n    os._exit(3)"
    with Opened(code, "process", start="fresh") as opened:
        assert opened.call("go", 1) == 2
        with pytest.raises(WorkerLost) as lost:
            opened.call("stop")
        assert lost.value.exit_code == 3
        assert opened.worker.output == "hello\n"


@pytest.mark.parametrize("level", [*LEVELS, "inline"])
def test_a_solution_passes_where_workers_are_started_afresh(level):
    """A milestone's solution passes with one worker for all of its checks, and inline."""
    start = "fork" if level == "inline" else "fresh"
    result = support.grade({"m04_attention": support.source("solutions", "m04_attention")}, level=level, start=start)

    assert support.complaints(result) == []
    assert result.isolation == level


def test_no_garbage_of_the_judges_is_collected_while_inline_work_is_measured():
    """From the first look at an inline worker's processor time to its end Python collects nothing in this process."""
    with Opened("", "inline") as opened:
        assert gc.isenabled()
        opened.worker.cpu_seconds()
        assert not gc.isenabled()

    assert gc.isenabled()


def test_callbacks_and_iterators_come_back_to_the_judge():
    """The judge counts calls of its functions and items of its iterators itself."""
    code = "def apply(f, xs):\n    return [f(x) for x in xs]\ndef first(xs):\n    return next(iter(xs))"
    calls, taken = [], []

    def items():
        for item in range(5):
            taken.append(item)
            yield item

    with Opened(code, LEVELS[0]) as opened:
        assert opened.call("apply", Callback(lambda x: calls.append(x) or x * 2, lambda x: (x,)), [1, 2]) == [2, 4]
        assert opened.call("first", Items(items())) == 0

    assert calls == [1, 2]
    assert taken == [0]


def test_a_list_is_fetched_whole_and_many_calls_are_one_request():
    """An iterator over a list of the judge's asks once; `each` calls a function with all arguments by one request."""
    code = "def double(xs): return [x * 2 for x in xs]\ndef add(a, b): return a + b\ndef never(xs): return 7"
    with Opened(code, LEVELS[0]) as opened:
        get, sent = opened.worker.conversation.get, opened.worker.channel.send
        answers = []
        opened.worker.channel.send = lambda *message: answers.append(message) or sent(*message)
        assert opened.call("double", Items(["a", [1]])) == ["aa", [1, 1]]
        assert len(answers) == 3  # the name, the call, the list
        assert opened.call("never", Items([1])) == 7
        assert each(get(None, "add"), [(1, 2), ("x", "y"), ([], [3])]) == [3, "xy", [3]]
        with pytest.raises(StudentError, match="unsupported"):
            each(get(None, "add"), [(1, 2), (1, "y")])


def test_handles_stand_for_what_cannot_cross():
    """Objects stay in the worker; their attributes, calls, items, lengths and iteration are reached from the judge."""
    code = """
        class Box:
            def __init__(self, items): self.items = items
            def add(self, item): self.items.append(item); return self
            def __len__(self): return len(self.items)
            def __getitem__(self, index): return self.items[index]
        def count(box): return len(box)
    """
    with Opened(code, LEVELS[0]) as opened:
        box = opened.call("Box", [1])
        assert box.add(2).items == [1, 2]
        assert (len(box), box[1], list(box)) == (2, 2, [1, 2])
        assert opened.call("count", box) == 2


def test_the_judges_own_time_is_not_the_students():
    """The clock runs while the student's code has been asked something, over all calls of a check, and never else."""
    source = "import time\ndef nap(): time.sleep(0.7); return 1"
    with Opened(source, LEVELS[0], LIMITS.changed(seconds=1)) as opened:
        time.sleep(1.5)
        assert opened.call("nap") == 1
        time.sleep(1.5)
        with pytest.raises(WorkerLost):
            opened.call("nap")


def test_a_callbacks_own_time_is_the_students():
    """While the student's code calls the judge back, its clock runs on: endless questions come to an end."""
    source = "def ask(question):\n    while True: question()"
    with Opened(source, LEVELS[0], LIMITS.changed(seconds=1)) as opened, pytest.raises(WorkerLost) as lost:
        opened.call("ask", Callback(lambda: None, lambda: ()))

    assert lost.value.limit == "time"


def test_iterating_is_the_students_time():
    """While the judge iterates over something in the worker the clock runs on, also between two items."""
    source = "def items():\n    while True: yield 1"

    def read_on(items):
        for _ in items:
            time.sleep(0.01)

    with Opened(source, LEVELS[0], LIMITS.changed(seconds=1)) as opened, pytest.raises(WorkerLost) as lost:
        read_on(opened.call("items"))

    assert lost.value.limit == "time"


def test_a_module_is_made_on_the_device_in_use(tmp_path):
    """Where another device than the CPU is in use, modules that the student's code makes are moved there."""
    import torch

    from grader.sandbox.inside.session import Session

    session = Session(str(tmp_path), device="meta")
    session.objects[1] = torch.nn.Linear

    made = session.do_call(1, [2, 3], {})

    assert {parameter.device.type for parameter in made.parameters()} == {"meta"}
