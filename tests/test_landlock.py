"""What a worker may change where it has no file system of its own, and what is cleared up after it."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys

import pytest
import support
import systems
from opened import Opened

from grader.sandbox import levels, users

if support.on_linux():
    from grader.sandbox.inside import landlock

pytestmark = systems.linux
TRIES = """
    import multiprocessing, os, socket, tempfile
    def outcome(attempt, *args):
        try:
            attempt(*args)
            return "done"
        except OSError as error:
            return type(error).__name__
    def change(folder):
        file = os.path.join(folder, "there")
        return {
            "write": outcome(open, os.path.join(folder, "new"), "w"), "append": outcome(open, file, "a"),
            "remove": outcome(os.remove, file), "make": outcome(os.mkdir, os.path.join(folder, "made")),
            "cut": outcome(os.truncate, file, 0), "name": outcome(os.rename, file, file + "2"),
            "bring": outcome(os.link, file, "brought"),
        }
    def devices():
        return {name: outcome(open, f"/dev/{name}", "r+b", 0) for name in ("null", "zero", "ptmx")}
    def own():
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs("one/two")
            with open("one/file", "w") as file:
                file.write(folder)
            os.rename("one/file", "one/two/file")
            os.link("one/two/file", "linked")
            with multiprocessing.get_context("fork").Pool(2) as pool:
                return [os.path.dirname(folder) == os.getcwd(), pool.map(abs, [-1, -2])]
    def call(address):
        return outcome(socket.socket(socket.AF_UNIX).connect, address)
    def touch(pid):
        return outcome(os.kill, pid, 0)
"""


@pytest.fixture
def locked():
    """The version of Landlock here; skips where there is none."""
    if not landlock.version():
        pytest.skip("this kernel has no Landlock")
    return landlock.version()


def test_a_worker_changes_nothing_but_its_own_folder(locked, tmp_path):
    """A folder that everybody may write to is as it was; files can be read, and no device that is memory opened."""
    tmp_path.chmod(0o777)
    (tmp_path / "there").write_text("as it was")
    with Opened(TRIES, "process") as opened:
        changed = opened.call("change", str(tmp_path))
        devices = opened.call("devices")

    assert set(changed.values()) <= {"PermissionError", "OSError"}, changed  # a link out of a folder is "cross-device"
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "as it was"
    assert devices == {"null": "done", "zero": "PermissionError", "ptmx": "PermissionError"}


def test_a_worker_has_its_own_folder_to_itself(locked):
    """Temporary files go to its folder, files move between folders there, and processes of its own share locks."""
    with Opened(TRIES, "process") as opened:
        assert opened.call("own") == [True, [1, 2]]


def test_a_worker_reaches_no_process_or_socket_of_others(locked):
    """A socket with an abstract name, and a process of the same user, are out of reach where Landlock knows of them."""
    if locked < 6:
        pytest.skip("Landlock keeps sockets and signals apart since its sixth version")
    name = f"\0scratchwork-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener, Opened(TRIES, "process") as opened:
        listener.bind(name)
        listener.listen()
        assert opened.call("call", name) == opened.call("touch", os.getpid()) == "PermissionError"


def test_a_kernel_without_landlock_is_told_of_beforehand(monkeypatch):
    """Where nothing keeps a worker to its folder, the levels that need it say so in one line, and still work."""
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert all(any("no Landlock" in gap for gap in levels.gaps(level)) for level in ("user", "process"))
    assert not [gap for gap in levels.gaps("bubblewrap") if "Landlock" in gap]


def test_without_landlock_open_folders_are_found(monkeypatch, tmp_path):
    """Whatever folder everybody may write to is found, also where its name is no text, and no other one."""
    monkeypatch.setattr(landlock, "version", lambda: 0)
    for name, mode in {b"open": 0o777, b"of one": 0o755, b"\xff\n": 0o1777}.items():
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        os.chmod(folder, mode)

    found = users.open_folders.__wrapped__(str(tmp_path))

    assert set(found) - set(users.SHARED_FOLDERS) == {
        os.fsdecode(os.path.join(os.fsencode(tmp_path), n)) for n in (b"open", b"\xff\n")
    }


@systems.as_root
def test_what_a_user_id_leaves_is_removed(monkeypatch, tmp_path):
    """Files in open folders, and System V's queues, semaphores and segments, go with their id; others' stay."""
    uid = users.worker_uid()
    monkeypatch.setattr(users, "open_folders", lambda: (str(tmp_path),))
    (tmp_path / "kept").touch()
    (tmp_path / "left").touch()
    os.chown(tmp_path / "left", uid, uid)
    make = "import ctypes as c; l = c.CDLL(None); print(l.msgget(0, 896), l.semget(0, 1, 896), l.shmget(0, 64, 896))"
    libc = ctypes.CDLL(None)
    kept = libc.msgget(0, 0o1600)
    try:
        made = subprocess.run(
            [sys.executable, "-c", make], user=uid, capture_output=True, text=True, check=False, env={}
        )
        if made.returncode:  # this Python is not for everybody to run
            made = subprocess.run(
                ["/usr/bin/python3", "-c", make], user=uid, capture_output=True, text=True, check=True
            )
        queue, semaphores, segment = map(int, made.stdout.split())
        assert min(queue, semaphores, segment) >= 0

        users.remove_all(uid)

        assert [path.name for path in tmp_path.iterdir()] == ["kept"]
        assert libc.msgctl(queue, 0, None) == libc.semctl(semaphores, 0, 0) == libc.shmctl(segment, 0, None) == -1
        assert libc.msgctl(kept, 0, None) == 0
    finally:
        users.release(uid)
