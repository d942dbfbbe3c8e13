"""`watch`: what a save touched is graded again, keys work, and an edited suite is read anew."""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
import sys
import threading

import pytest
import support
import systems

from grader.commands import watch
from grader.syllabus import ROOMS
from grader.watching import files

COURSE = support.COURSE
STUB, SOLUTION = (support.source(folder, "m04_attention") for folder in ("exercises", "solutions"))


@pytest.fixture
def submission(tmp_path):
    """A folder with all stubs."""
    folder = tmp_path / "mine"
    shutil.copytree(support.REPOSITORY / "exercises", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@systems.posix
def test_a_save_is_graded_and_keys_are_answered(submission, tmp_path):
    """A right save passes, a wrong one is explained, h hints, n names what is next, l lists, and q ends with 0."""
    from watching import Terminal

    module = submission / "m04_attention.py"
    with Terminal("m04", "--submission", str(submission), state=tmp_path / "state") as terminal:
        assert "not started" in terminal.screen()
        terminal.press("n")
        assert "m04.1 The causal mask" in terminal.screen()
        terminal.press("h")
        assert "hint 1 of 3" in terminal.screen()
        module.write_text(SOLUTION, encoding="utf-8")
        assert "Everything that was graded passes" in terminal.screen()
        module.write_text(SOLUTION.replace(".tril()", ".triu()"), encoding="utf-8")
        assert "Likely mistake: rows and columns are swapped" in terminal.screen()
        module.write_text("def causal_mask(:", encoding="utf-8")
        assert "invalid syntax" in terminal.screen()
        terminal.press("l")
        assert "changed since" in (listed := terminal.screen()) or "begun" in listed
        (submission / "m01_tokenizer.py").write_text("# mine\n", encoding="utf-8")
        assert "m01_tokenizer changed; it is not among what is watched here." in terminal.screen()
        terminal.press("q")
        assert terminal.exit_code() == 0


@systems.pipes
@systems.links
def test_whatever_takes_a_modules_place_is_said_and_the_next_save_graded(submission, tmp_path):
    """A pipe, a folder, a link, a huge file, no text, nothing, and a folder that is gone are a sentence each."""
    from watching import Terminal

    module, away = submission / "m04_attention.py", tmp_path / "away"

    def put(make):
        module.unlink(missing_ok=True) if not module.is_dir() else module.rmdir()
        make()

    state, asked = tmp_path / "state", ("m04", "--submission", str(submission))
    with Terminal(*asked, state=state, sandbox=support.sandbox()) as terminal:
        terminal.screen()
        for make, said in (
            (lambda: os.mkfifo(module), "it is a named pipe"),
            (module.mkdir, "it is a folder"),
            (lambda: module.symlink_to("/dev/zero"), "it is a symbolic link"),
            (lambda: module.write_bytes(b"#" * 10_000_000), "it is larger than"),
            (lambda: module.write_bytes(b"\xff\xfe\x00"), "not UTF-8"),
            (lambda: None, "is missing"),
        ):
            put(make)
            assert terminal.comes_to(said)
        module.write_text(STUB, encoding="utf-8")
        terminal.screen()
        submission.rename(away)
        assert terminal.comes_to("There is no folder")
        away.rename(submission)
        module.write_text(SOLUTION, encoding="utf-8")
        assert "Everything that was graded passes" in terminal.screen("passes")
        terminal.press("q")
        assert terminal.exit_code() == 0


@systems.posix
def test_a_file_that_is_touched_all_the_time_is_graded_all_the_same(submission, tmp_path):
    """While something writes the module again and again, without a pause and with short ones, results are shown."""
    from watching import Terminal

    module = submission / "m04_attention.py"
    for pause in (0.005, 0.2):  # too short to settle; long enough, and shorter than any grading
        module.write_text(STUB, encoding="utf-8")
        state, asked = tmp_path / f"state{pause}", ("m04", "--submission", str(submission))
        with Terminal(*asked, state=state, sandbox=support.sandbox()) as terminal:
            terminal.screen()
            stop = threading.Event()
            writer = threading.Thread(target=keep_writing, args=(module, pause, stop))
            writer.start()
            try:
                assert "Everything that was graded passes" in terminal.screen("Everything that was graded passes")
            finally:
                stop.set()
                writer.join()


def keep_writing(module, pause, stop):
    """Write the solution again and again until told to stop, each time as another file."""
    for number in itertools.count():
        if stop.wait(pause):
            return
        beside = module.with_name("beside")
        beside.write_text(f"{SOLUTION}# {number}\n", encoding="utf-8")
        os.replace(beside, module)


def test_a_save_is_told_by_what_it_means(submission):
    """A module, a guide, a suite and the rest of the grader are told apart, and nothing is told twice."""
    watched = files.Watched(submission, submission, COURSE)
    assert not watched.touched()

    (submission / "m04_attention.py").write_text("x = 1\n", encoding="utf-8")
    (submission / "m01_tokenizer.md").write_text("# mine\n", encoding="utf-8")
    (submission / "notes.txt").write_text("not looked at\n", encoding="utf-8")

    assert watched.changed()
    touched = watched.touched()
    assert (touched.modules, touched.guides, touched.suites) == ({"m04_attention"}, {"m01_tokenizer"}, set())
    assert not touched.grader
    assert not watched.touched()


def test_a_module_that_is_replaced_is_noticed(submission):
    """An editor that writes another file and renames it changes the module, even at the same size and time."""
    module, other = submission / "m04_attention.py", submission / "other"
    watched = files.Watched(submission, submission, COURSE)
    other.write_bytes(module.read_bytes())
    status = module.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))

    os.replace(other, module)

    assert watched.touched().modules == {"m04_attention"}


def test_the_graders_own_files_are_sorted(submission):
    """A suite and its oracle belong to their milestone; what all suites share is the grader itself."""
    watched = files.Watched(submission, submission, COURSE)

    def room(name):
        return COURSE.milestone(name).room

    suite = watched._sort({room("m04") / "test_suite.py", room("m01") / "oracle.py"})
    shared = watched._sort({ROOMS / "conftest.py"})

    assert suite.suites == {"m04_attention", "m01_tokenizer"} and not suite.grader
    assert shared.grader
    assert watched._sort({files.GRADER / "syllabus.toml"}).grader


def test_what_is_made_of_a_module_is_graded_with_it_once_it_passed():
    """A milestone made of the one that changed is graded again if it had passed, and left alone otherwise."""
    made_of = {m.id for m in COURSE.milestones if "m04_attention" in COURSE.with_needs(m)} - {"m04_attention"}

    alone = files.affected(COURSE, {"m04_attention"}, passed=set())
    all_passed = files.affected(COURSE, {"m04_attention"}, passed={m.id for m in COURSE.milestones})

    assert [m.id for m in alone] == ["m04_attention"]
    assert {m.id for m in all_passed} == made_of | {"m04_attention"}


def test_an_edited_suite_is_read_again():
    """Once the suites are forgotten, importing one gives what stands in its file now."""
    before = importlib.import_module("grader.suites.m04_attention.oracle")

    watch.forget_suites(COURSE)
    from grader.suites.m04_attention import oracle as m04_oracle

    assert m04_oracle is not before
    sys.modules["grader.suites.m04_attention.oracle"] = before  # for the tests that hold on to it


def test_a_newer_save_stops_the_grading(submission):
    """When the files change while checks run, the run ends with the check at hand."""
    watched = files.Watched(submission, submission, COURSE)

    class Silent:
        def check_ended(self, check):
            (submission / "m04_attention.py").write_text("x = 1\n", encoding="utf-8")

    listener = watch.Interruptible(Silent(), watched)

    with pytest.raises(KeyboardInterrupt):
        listener.check_ended(None)
    assert listener.interrupted


def test_a_folder_that_is_none_is_refused(tmp_path, capsys):
    """A submission that isn't there is wrong usage: one sentence, exit code 2."""
    from grader.cli import main

    assert main(["watch", "--submission", str(tmp_path / "nothing")]) == 2
    assert "There is no folder" in capsys.readouterr().err
