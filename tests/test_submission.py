"""What is taken of a submission's folder, and what is refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import support
import systems

from grader.submission import Submission, SubmissionError, collect


@pytest.fixture
def folder(tmp_path):
    """A submission with a good m01 and nothing else."""
    made = tmp_path / "exercises"
    made.mkdir()
    (made / "m01_tokenizer.py").write_text("x = 1\n")
    return made


def problem(folder):
    """Collect a submission and return what is wrong with m04, m01 having been taken."""
    submission = collect(folder, support.COURSE)

    assert submission.sources.get("m01_tokenizer") == b"x = 1\n"
    assert "m04_attention" not in submission.sources
    return submission.problems["m04_attention"]


def test_only_the_courses_modules_are_taken(folder):
    """Other files of a folder are not looked at, whatever they are."""
    (folder / "m04_attention.py").write_bytes(b"y = 2\n")
    (folder / "conftest.py").write_text("raise SystemExit\n")
    (folder / "m04_attention.pyc").write_bytes(b"\0")

    submission = collect(folder, support.COURSE)

    assert submission.sources == {"m01_tokenizer": b"x = 1\n", "m04_attention": b"y = 2\n"}


def test_a_missing_module_is_named(folder):
    """A module that isn't there is that milestone's problem, in one sentence."""
    assert problem(folder).endswith("m04_attention.py is missing; put the stub back to start from.")


@systems.pipes
def test_a_pipe_is_refused_without_waiting_for_it(folder):
    """A named pipe nobody writes to is refused at once."""
    os.mkfifo(folder / "m04_attention.py")

    assert problem(folder).endswith("cannot be taken: it is a named pipe, not a regular file.")


@systems.links
def test_a_link_is_refused(folder, tmp_path):
    """A symbolic link is refused, wherever it leads, and also when it leads nowhere."""
    (tmp_path / "elsewhere.py").write_text("secret = 1\n")
    for target in (tmp_path / "elsewhere.py", tmp_path / "nowhere.py", Path("/dev/zero")):
        (folder / "m04_attention.py").symlink_to(target)
        assert problem(folder).endswith("cannot be taken: it is a symbolic link, not a regular file.")
        (folder / "m04_attention.py").unlink()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", [pytest.param("pipe", marks=systems.pipes), pytest.param("link", marks=systems.links)])
def test_a_file_that_is_swapped_while_it_is_looked_at_is_refused(folder, monkeypatch, kind):
    """A pipe or a link that takes a regular file's place at the last moment is neither waited for nor followed."""
    regular = os.stat(folder / "m01_tokenizer.py")
    path = folder / "m04_attention.py"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("m01_tokenizer.py")
    monkeypatch.setattr(os, "lstat", lambda _path: regular)

    assert "m04_attention.py cannot be taken: " in problem(folder)


def test_a_folder_and_a_socket_are_refused(folder, tmp_path, monkeypatch):
    """A folder or a socket under a module's name is refused."""
    (folder / "m04_attention.py").mkdir()
    assert problem(folder).endswith("cannot be taken: it is a folder, not a regular file.")
    (folder / "m04_attention.py").rmdir()

    monkeypatch.chdir(folder)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("m04_attention.py")
        assert problem(folder).endswith("cannot be taken: it is a socket, not a regular file.")


def test_a_source_has_a_largest_size(folder):
    """A source of exactly the largest size is taken, and one byte more is refused."""
    limit = support.COURSE.max_source_bytes
    (folder / "m04_attention.py").write_bytes(b"#" * limit)
    assert len(collect(folder, support.COURSE).sources["m04_attention"]) == limit

    (folder / "m04_attention.py").write_bytes(b"#" * (limit + 1))
    assert problem(folder).endswith(f"cannot be taken: it is larger than {limit // 1024} kB, which no solution needs.")


@systems.as_root
def test_a_hard_link_to_somebody_elses_file_is_refused(folder, tmp_path):
    """A file with a second name and another owner than the folder's, such as the solution, is not taken."""
    (tmp_path / "theirs.py").write_text("secret = 1\n")
    os.chown(folder, 12345, 12345)
    os.link(tmp_path / "theirs.py", folder / "m04_attention.py")

    assert "hard link" in problem(folder)


@pytest.mark.parametrize("name", ["nothing", "file.py"])
def test_a_submission_is_a_folder_with_modules(tmp_path, name):
    """No folder, a file in its place, or an empty folder is refused as a whole."""
    (tmp_path / "file.py").write_text("")
    (tmp_path / "empty").mkdir()

    with pytest.raises(SubmissionError, match="There is no folder"):
        collect(tmp_path / name, support.COURSE)
    with pytest.raises(SubmissionError, match="has none of the course's modules"):
        collect(tmp_path / "empty", support.COURSE)


def test_a_digest_tells_sources_apart():
    """The digest changes with any byte, with a module that is missing, and not with modules nobody asked for."""
    one = Submission("", {"m01_tokenizer": b"a", "m04_attention": b"b"})

    assert one.digest(["m04_attention"]) == Submission("", {"m04_attention": b"b"}).digest(["m04_attention"])
    assert one.digest(["m04_attention"]) != Submission("", {"m04_attention": b"c"}).digest(["m04_attention"])
    assert one.digest(["m04_attention"]) != Submission("", {}).digest(["m04_attention"])
    assert Submission("", {}).digest(["m04_attention"]) != Submission("", {"m04_attention": b""}).digest(
        ["m04_attention"]
    )
