"""The sandbox: what a worker can see, what it can use, and what is left of it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import support

from grader.sandbox import bubblewrap, levels, users, warden
from grader.sandbox.conversation import Callback, Items
from grader.sandbox.errors import SandboxError, StudentError, WorkerLost
from grader.sandbox.limits import Limits

if support.on_linux():
    from grader.sandbox.inside import linux as linux_calls

LIMITS = Limits(seconds=5, memory_mb=300, processes=20, file_mb=4, output_kb=64)
LEVELS = [name for name in ("bubblewrap", "process") if levels.unavailable(name) is None]
here = pytest.mark.parametrize("level", LEVELS)
linux = pytest.mark.skipif(not support.on_linux(), reason="namespaces exist on Linux only")


class Opened:
    """A worker with a module loaded, for use in a with statement."""

    def __init__(self, code: str, level: str, limits: Limits = LIMITS, start: str = "fork") -> None:
        self.worker = support.sandbox(level, start).worker(limits)
        self.worker.set_deadline(limits.seconds)
        self.load = {"sources": {"m99_trial.py": textwrap.dedent(code).encode()}, "module": "m99_trial"}

    def __enter__(self):
        self.worker.conversation.request("load", **self.load, trace=[], blocked=[])
        return self

    def __exit__(self, *exception: object) -> None:
        self.worker.end()

    def call(self, name: str, *args: object) -> object:
        """Call a function of the module."""
        return self.worker.conversation.get(None, name)(*args)


SPY = """
    import os, sys, socket

    def read(path):
        try:
            with open(path, "rb") as file:
                return len(file.read(10))
        except OSError as error:
            return type(error).__name__

    def identity():
        return [os.getpid(), os.getuid(), sorted(os.environ)]

    def folders(path):
        return sorted(os.listdir(path))

    def connect(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
            return "connected"
        except OSError as error:
            return type(error).__name__

    def write(path):
        try:
            with open(path, "w") as file:
                file.write("x")
            return "written"
        except OSError as error:
            return type(error).__name__

    def descriptors():
        found = []
        for fd in range(256):
            try:
                os.fstat(fd)
                found.append(fd)
            except OSError:
                pass
        return found

    def new_user_namespace():
        import ctypes
        return ctypes.CDLL(None, use_errno=True).unshare(0x10000000)

    def kill_everything():
        os.kill(-1, 9)

    def open_ports():
        return 0
"""


@linux
def test_bubblewrap_shows_nothing_but_python_and_the_allowed_packages():
    """Inside bubblewrap neither the repository, nor the home folders, nor other packages exist."""
    with Opened(SPY, "bubblewrap") as opened:
        assert set(opened.call("folders", "/site")) <= set(bubblewrap.packages.allowed_packages())
        assert not {"transformers", "tiktoken", "pytest"} & set(opened.call("folders", "/site"))
        assert opened.call("read", str(support.REPOSITORY / "grader" / "syllabus.toml")) == "FileNotFoundError"
        assert opened.call("read", "/etc/passwd") == "FileNotFoundError"
        assert opened.call("folders", "/proc") == ["cpuinfo"]
        assert opened.call("folders", "/tmp") == ["exercises"]


@linux
def test_a_worker_in_bubblewrap_is_nobody():
    """It is process 1 of its namespace, no root, with an environment of only what the sandbox sets."""
    with Opened(SPY, "bubblewrap") as opened:
        pid, uid, environment = opened.call("identity")

    assert pid == 1 and uid != 0
    by_themselves = {"PWD", "LC_CTYPE", "TORCHINDUCTOR_CACHE_DIR"}  # set by Python and torch inside the worker
    assert set(environment) <= set(bubblewrap.environment()) | by_themselves


@linux
def test_a_worker_in_bubblewrap_cannot_get_privileges_back():
    """It can neither make another user namespace nor write to the view it was given."""
    with Opened(SPY, "bubblewrap") as opened:
        assert opened.call("new_user_namespace") == -1
        for path in ("/worker/inside/wire.py", "/site/x", "/x", "/usr/lib/x", "/proc/x"):
            assert opened.call("write", path) in ("OSError", "PermissionError", "FileNotFoundError"), path
        assert opened.call("write", "/tmp/x") == "written"


@linux
def test_a_worker_in_bubblewrap_has_no_network():
    """A server on this machine's loopback cannot be reached."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, Opened(SPY, "bubblewrap") as opened:
        assert opened.call("connect", server.getsockname()[1]) == "OSError"


@linux
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
    if not linux_calls.can_refuse_calls():
        pytest.skip("this machine has no system-call filters")
    with Opened(code, level) as opened:
        assert opened.call("memory") == [errno.EPERM, errno.EPERM, -1, errno.EPERM]
        if os.uname().machine == "x86_64":
            assert opened.call("x32") == (-1, errno.ENOSYS)


@linux
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


@linux
def test_a_machine_without_filters_is_told_of_beforehand(monkeypatch):
    """Where system calls cannot be refused, the levels for official runs say so in one line."""
    assert levels.gaps("bubblewrap") == [] or not linux_calls.can_refuse_calls()
    monkeypatch.setattr(linux_calls, "can_refuse_calls", lambda: False)
    assert "memory that no process maps" in levels.gaps("bubblewrap")[-1]


@here
def test_a_worker_inherits_no_descriptor(level):
    """Only standard streams and its own channel are open."""
    with Opened(SPY, level) as opened:
        assert opened.call("descriptors") == [0, 1, 2, 3]


@linux
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


def loses(level: str, code: str, **limits: float) -> WorkerLost:
    """Run `go()` and return how the worker was lost; nothing of it may be left."""
    with Opened(code, level, LIMITS.changed(**limits)) as opened:
        start = time.monotonic()
        with pytest.raises(WorkerLost) as lost:
            opened.call("go")
        assert time.monotonic() - start < LIMITS.seconds + 2
    assert nothing_left(level)
    return lost.value


def nothing_left(level: str) -> bool:
    """Whether, within a second, no process is left below the server but the worker kept ready for the next check."""
    kept = 2 if level == "bubblewrap" else 0  # a keeper and its worker
    deadline = time.monotonic() + 1
    while (left := alive(level)) > kept and time.monotonic() < deadline:
        time.sleep(0.01)
    return left <= kept


def alive(level: str) -> int:
    """Count the processes below the server that have not ended."""
    return sum(not warden._is_dead(pid) for pid in warden.below(support.sandbox(level)._pid))


@here
@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n    while True: pass",
    ],
    ids=["loop", "deaf"],
)
def test_time_is_limited(level, body):
    """A worker over its wall time is killed, whatever signals it ignores."""
    assert loses(level, f"def go():\n    {body}", seconds=1).limit == "time"


@here
@pytest.mark.parametrize(
    "body",
    [
        "x = []\n    while True: x.append(bytearray(10_000_000))",
        "import torch\n    x = []\n    while True: x.append(torch.ones(2_000_000))",
        "import mmap\n    x = []\n    while True:\n"
        "        x.append(mmap.mmap(-1, 10_000_000, flags=mmap.MAP_PRIVATE)); x[-1].write(b'1' * 10_000_000)",
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


@linux
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
def test_a_crash_is_seen_as_one(level):
    """A hard crash in C is attributed to its signal, and the next worker is unharmed."""
    lost = loses(level, "def go():\n    import ctypes\n    ctypes.string_at(0)")

    assert lost.limit is None and lost.exit_code == 128 + 11


@here
def test_an_exit_is_seen_as_one(level):
    """os._exit ends the worker and nothing else."""
    assert loses(level, "def go():\n    import os\n    os._exit(0)").exit_code == 0


@here
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
    assert nothing_left(level)


@here
def test_what_it_prints_is_kept_up_to_its_death(level):
    """Output printed before a worker is killed is kept."""
    code = "def go():\n    print('so far')\n    while True: pass"
    with Opened(code, level, LIMITS.changed(seconds=1)) as opened:
        with pytest.raises(WorkerLost):
            opened.call("go")
        assert opened.worker.output == "so far\n"


@here
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


def test_callbacks_and_iterators_come_back_to_the_judge():
    """The judge counts calls of its functions and items of its iterators itself."""
    code = "def apply(f, xs):\n    return [f(x) for x in xs]\ndef first(xs):\n    return next(iter(xs))"
    calls, taken = [], []

    def items():
        for item in range(5):
            taken.append(item)
            yield item

    with Opened(code, LEVELS[0]) as opened:
        assert opened.call("apply", Callback(lambda x: calls.append(x) or x * 2), [1, 2]) == [2, 4]
        assert opened.call("first", Items(items())) == 0

    assert calls == [1, 2]
    assert taken == [0]


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


def in_private_view(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a mount namespace where other users can read the interpreter, as on most machines."""
    prefix = Path(sys.base_prefix).resolve()
    hidden = next((p for p in [*reversed(prefix.parents), prefix] if not p.stat().st_mode & 0o001), None)
    lines = ["mount --make-rprivate /"]
    if hidden is not None and hidden != prefix:
        lines += [
            f"mount --bind {prefix} /mnt",
            f"mount -t tmpfs -o mode=755 none {hidden}",
            f"mkdir -p {prefix}",
            f"mount --move /mnt {prefix}",
        ]
    modes = {path: path.stat().st_mode for name in levels.PRIVATE if (path := support.REPOSITORY / name).is_dir()}
    script = tmp_path / "view.sh"
    script.write_text("\n".join([*lines, 'exec "$@"']))
    for path, mode in modes.items():  # a test before this one may have left them closed
        path.chmod((mode | 0o055) & 0o7777)
    try:
        return subprocess.run(
            ["unshare", "--mount", "bash", str(script), *command],
            capture_output=True, text=True, cwd=support.REPOSITORY, timeout=300, check=False,
        )  # fmt: skip
    finally:
        for path, mode in modes.items():  # the user level takes them away from other users
            path.chmod(mode & 0o7777)


as_root = pytest.mark.skipif(
    not support.on_linux() or os.geteuid() != 0, reason="the user level and other users need a judge that is root"
)


@as_root
def test_the_user_level_grades_and_hides(tmp_path):
    """As root without namespaces, a worker is another user, who can read neither suites nor solutions."""
    spy = tmp_path / "spy.py"
    spy.write_text(
        textwrap.dedent(f"""
            import os, sys
            sys.path[:0] = [{str(support.REPOSITORY)!r}, {str(support.TESTS)!r}]
            import support
            from test_sandbox import SPY, Opened
            with Opened(SPY, "user") as opened:
                print(opened.call("identity")[1] != 0)
                for name in ("grader/suites/conftest.py", "solutions/m04_attention.py", "fixtures/unicode.txt"):
                    print(opened.call("read", os.path.join({str(support.REPOSITORY)!r}, name)))
                print(opened.call("write", "/etc/x"))
            result = support.grade({{"m04_attention": support.source("solutions", "m04_attention")}}, level="user")
            print(support.complaints(result), result.isolation)
            support.close_all()
        """)
    )
    done = in_private_view(tmp_path, sys.executable, str(spy))

    assert done.stdout.splitlines() == ["True", *["PermissionError"] * 4, "[] user"], done.stderr[-2000:]


@as_root
def test_the_user_level_kills_what_is_left(tmp_path):
    """A daemon of a worker at the user level is found by its user id and killed."""
    script = tmp_path / "daemon.py"
    script.write_text(
        textwrap.dedent(f"""
            import sys, time
            sys.path[:0] = [{str(support.REPOSITORY)!r}, {str(support.TESTS)!r}]
            import support
            from test_sandbox import Opened
            from grader.sandbox import users
            code = '''
            import os, time
            def go():
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        time.sleep(100)
                    os._exit(0)
                return os.getuid()
            '''
            with Opened(code, "user") as opened:
                uid = opened.call("go")
            print([pid for pid in __import__("os").listdir("/proc") if pid.isdigit() and users._owner(pid) == uid])
            support.close_all()
        """)
    )
    done = in_private_view(tmp_path, sys.executable, str(script))

    assert done.stdout.splitlines() == ["[]"], done.stderr[-2000:]


@as_root
def test_two_judges_take_different_users():
    """A user id that one judge has is passed over by the others until it is released: who has it is killed by it."""

    def taken_elsewhere(number):
        code = f"from grader.sandbox import users; print(users._claim(users.WORKERS, {number}), flush=True); input()"
        return subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=support.REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    with taken_elsewhere(7) as one, taken_elsewhere(7) as other:
        assert {int(one.stdout.readline()), int(other.stdout.readline())} == {users.WORKERS[7], users.WORKERS[8]}
        one.communicate("")
        other.communicate("")
    mine = users._claim(users.WORKERS, 7)
    users.release(mine)
    assert mine == users.WORKERS[7]


@linux
@here
def test_namespaces_are_refused(level):
    """No new namespace can be made or entered, by unshare, setns or clone; ordinary processes and threads can."""
    code = """
        import ctypes, errno, os, subprocess, threading
        libc = ctypes.CDLL(None, use_errno=True)
        def refused(number, *args):
            ctypes.set_errno(0)
            return libc.syscall(number, *args), ctypes.get_errno()
        def go(unshare, setns, clone):
            threading.Thread(target=int).start()
            kept = os.open("/", os.O_RDONLY)
            return [refused(unshare, 0x10000000), refused(setns, kept, 0), refused(clone, 0x10000011, 0, 0, 0, 0),
                    refused(435, 0, 0)]
    """
    if not linux_calls.can_refuse_calls():
        pytest.skip("this machine has no system-call filters")
    numbers = (272, 308, 56) if os.uname().machine == "x86_64" else (97, 268, 220)
    with Opened(code, level) as opened:
        assert opened.call("go", *numbers) == [*[(-1, errno.EPERM)] * 3, (-1, errno.ENOSYS)]


def test_a_missing_bubblewrap_is_one_clear_line(monkeypatch):
    """Without bubblewrap, auto falls to the next level and says so in one line that names the package."""
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    notes: list[str] = []

    workers = levels.choose("auto", "cpu", notes.append)

    assert workers.level in ("user", "process")
    if support.on_linux():
        assert len(notes) == 1 and "apt-get install bubblewrap" in notes[0]


def test_refused_namespaces_are_one_clear_line(monkeypatch, tmp_path):
    """A bubblewrap that the kernel refuses gives its own last words in the line, and no traceback."""
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    notes: list[str] = []

    workers = levels.choose("auto", "cpu", notes.append)

    assert workers.level != "bubblewrap"
    assert "setting up uid map: Permission denied" in notes[0] and "\n" not in notes[0]


def test_a_level_asked_for_by_name_is_not_replaced(monkeypatch):
    """Asked for bubblewrap by name where it does not work, the sandbox refuses instead of falling back."""
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)

    with pytest.raises(SandboxError, match="bubblewrap does not work here"):
        levels.choose("bubblewrap", "cpu", lambda line: None)


def test_accelerators_are_not_forked_for():
    """Where a device other than the CPU is asked for, workers are started instead of forked."""
    assert type(levels.workers("process", "cuda")).__name__ == "FreshWorkers"


@as_root
def test_unreadable_means_unreadable(tmp_path):
    """The readability test looks at the whole path, not only at its end."""
    folder = tmp_path / "closed" / "open"
    folder.mkdir(parents=True, mode=0o755)
    assert users.readable_by_others(Path("/usr"))

    (tmp_path / "closed").chmod(0o700)

    assert not users.readable_by_others(folder)


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
        opened.call("ask", Callback(lambda: None))

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


@as_root
def test_an_ordinary_user_has_bubblewrap_too(tmp_path):
    """Without root, bubblewrap makes a user namespace of its own, and grading works the same."""
    script = tmp_path / "ordinary.py"
    script.write_text(
        textwrap.dedent(f"""
            import os, sys
            sys.path[:0] = [{str(support.REPOSITORY)!r}, {str(support.TESTS)!r}]
            sys.dont_write_bytecode = True
            import support
            from test_sandbox import SPY, Opened
            with Opened(SPY, "bubblewrap") as opened:
                print(os.getuid(), opened.call("identity")[0], opened.call("new_user_namespace"))
                for folder in ("/dev", "/usr/lib/python3", "/site", "/tmp"):
                    print(opened.call("write", folder + "/x"))
            support.close_all()
        """)
    )
    script.chmod(0o644)
    # Side by side with other tests there is one more folder above, the process's own.
    for folder in [tmp_path, *(parent for parent in tmp_path.parents if parent.name.startswith(("pytest-", "popen-")))]:
        folder.chmod(0o755)
    done = in_private_view(
        tmp_path, "setpriv", "--reuid", "61199", "--regid", "61199", "--clear-groups", sys.executable, str(script)
    )

    assert done.stdout.split()[:3] == ["61199", "1", "-1"], done.stderr[-2000:]
    *nowhere, tmp = done.stdout.split()[3:]
    assert set(nowhere) <= {"OSError", "PermissionError", "FileNotFoundError"} and tmp == "written", done.stdout
