"""Isolation levels: what the user level hides and kills, and what is said where a level cannot be had."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import support
import systems
from opened import Opened, here, in_private_view

from grader.sandbox import bubblewrap, levels, users
from grader.sandbox.errors import SandboxError

if support.on_linux():
    from grader.sandbox.inside import refusals


@systems.as_root
def test_the_user_level_grades_and_hides(tmp_path):
    """As root without namespaces, a worker is another user, who can read neither suites nor solutions."""
    spy = tmp_path / "spy.py"
    spy.write_text(
        textwrap.dedent(f"""
            import os, sys
            sys.path[:0] = [{str(support.REPOSITORY)!r}, {str(support.TESTS)!r}]
            import support
            from opened import SPY, Opened
            with Opened(SPY, "user") as opened:
                print(opened.call("identity")[1] != 0)
                for name in ("grader/suites/conftest.py", "solutions/m04_attention.py", "fixtures/unicode.txt"):
                    print(opened.call("read", os.path.join({str(support.REPOSITORY)!r}, name)))
                print(opened.call("write", "/etc/x"))
            name = "m04_attention"
            some = set.union(*(support.checks_by_task(name)[task] for task in ("m04.1", "m04.3")))
            result = support.grade({{name: support.source("solutions", name)}}, level="user", only=some)
            print(support.complaints(result), result.isolation, len(support.checks(result)) >= len(some))
            support.close_all()
        """)
    )
    done = in_private_view(tmp_path, sys.executable, str(spy))

    assert done.stdout.splitlines() == ["True", *["PermissionError"] * 4, "[] user True"], done.stderr[-2000:]


@systems.as_root
def test_the_user_level_kills_what_is_left(tmp_path):
    """A daemon of a worker at the user level is found by its user id and killed."""
    script = tmp_path / "daemon.py"
    script.write_text(
        textwrap.dedent(f"""
            import sys, time
            sys.path[:0] = [{str(support.REPOSITORY)!r}, {str(support.TESTS)!r}]
            import support
            from opened import Opened
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


@systems.as_root
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


@systems.linux
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
    if not refusals.can_refuse_calls():
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


@systems.linux
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


@systems.linux
def test_accelerators_are_not_forked_for():
    """Where a device other than the CPU is asked for, workers are started instead of forked."""
    notes = []

    assert type(levels.choose("process", "cuda", notes.append)).__name__ == "FreshWorkers"
    assert [note for note in notes if "--device cuda" in note and "share one process" in note] == notes != []
    levels.choose("process", "cpu", notes.append)
    assert len(notes) == 1


@systems.as_root
def test_unreadable_means_unreadable(tmp_path):
    """The readability test looks at the whole path, not only at its end."""
    folder = tmp_path / "closed" / "open"
    folder.mkdir(parents=True, mode=0o755)
    assert users.readable_by_others(Path("/usr"))

    (tmp_path / "closed").chmod(0o700)

    assert not users.readable_by_others(folder)


@systems.as_root
def test_an_ordinary_user_has_bubblewrap_too(tmp_path):
    """Without root, bubblewrap makes a user namespace of its own, and grading works the same."""
    script = tmp_path / "ordinary.py"
    script.write_text(
        textwrap.dedent(f"""
            import os, sys
            sys.path[:0] = [{str(support.REPOSITORY)!r}, {str(support.TESTS)!r}]
            sys.dont_write_bytecode = True
            import support
            from opened import SPY, Opened
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
