"""A milestone that a course brings: graded, collected, kept, sent, exported and replayed like ours.

Real commands on a copy of the grader with a small course, so that a room and a grader can be changed in between.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
import zipfile
from pathlib import Path

import own_room
import pytest
import systems
from small_course import SOLUTIONS, STUBS, SmallCourse

from grader import cli
from grader.classroom.book.gradebook import Gradebook

RIGHT = {**SOLUTIONS, own_room.NAME: own_room.SOLUTION}


@pytest.fixture
def course(tmp_path):
    """A small course, and beside it the file of one that brings a room."""
    made = SmallCourse(tmp_path / "course")
    made.file = own_room.write(tmp_path / "instructor")
    made.room = made.file.parent / "rooms" / own_room.NAME
    return made


def results(course):
    """Return the points of every result in the book, in the order in which they came."""
    with Gradebook.open(course.book) as book:
        return book.rows("SELECT student, milestone, earned FROM result ORDER BY id")


def test_it_is_graded_like_ours(course, tmp_path):
    """Verify, grade, list and hint take it: points, outcomes and mistakes; a change in its suite grades it again."""
    verified = course.run("grader", "verify", "--course", course.file)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "as it must be  x01_mine, solution alone: 10 of 10 points, 3 checks" in verified.stdout
    assert "as it must be  x01_mine, stub: 0 of 10 points" in verified.stdout

    course.hand_in("anna", {**SOLUTIONS, own_room.NAME: own_room.SHORT})
    graded = [
        "grade", "x01", "--course", course.file, "--submission", course.submissions / "anna", "--json", tmp_path / "r",
    ]  # fmt: skip
    done = course.run("grader", *graded)
    assert done.returncode == 1 and "the last step is missing" in done.stdout, done.stdout + done.stderr
    record = json.loads((tmp_path / "r").read_text(encoding="utf-8"))
    tasks = {task["id"]: (task["earned"], task["points"]) for task in record["milestones"][0]["tasks"]}
    assert tasks == {"x01.1": (4, 4), "x01.2": (0, 6)}

    course.hand_in("anna", {own_room.NAME: own_room.SOLUTION})
    assert course.run("grader", *graded).returncode == 0
    first = json.loads((tmp_path / "r").read_text(encoding="utf-8"))
    assert "unchanged since it passed" in course.run("grader", *graded).stdout
    (course.room / "heights.json").write_text("[1, 5, 7]\n", encoding="utf-8")
    again = course.run("grader", *graded)
    assert again.returncode == 0 and "4 checks" in again.stdout and "unchanged" not in again.stdout
    assert json.loads((tmp_path / "r").read_text(encoding="utf-8"))["grader"] != first["grader"]

    asked = ("--course", course.file, "--submission", course.submissions / "anna")
    listed = course.run("grader", "list", *asked)
    assert "x01" in listed.stdout and "passed" in listed.stdout, listed.stdout + listed.stderr
    assert "Which number comes next?" in course.run("grader", "hint", "x01.1", "--course", course.file).stdout


def test_what_it_is_made_of_counts(course):
    """A stub of ours blocks what the course's own is made of; a module that reaches for a shortcut is told so."""
    course.hand_in("anna", {**SOLUTIONS, own_room.NAME: own_room.SOLUTION})
    (course.submissions / "anna" / "m00_warmup.py").write_text("import socket, transformers\n", encoding="utf-8")

    done = course.run("grader", "grade", "x01", "--course", course.file, "--submission", course.submissions / "anna")

    assert done.returncode == 1 and "It is made of m00_warmup.py" in done.stdout, done.stdout + done.stderr


def test_a_class_is_collected_graded_kept_exported_and_replayed(course, tmp_path, capsys):
    """Modules are read from an LMS's names, results kept until the suite changes, marks exported, a record replayed."""
    export = tmp_path / "submissions.zip"
    with zipfile.ZipFile(export, "w") as archive:
        for student, modules in {"Anna A": RIGHT, "Ben B": {**SOLUTIONS, own_room.NAME: own_room.HALF}}.items():
            for name, text in modules.items():
                archive.writestr(f"{student}_{len(student)}_assignsubmission_file_/{name}.py", text)
    classroom = ("classroom", export, "--gradebook", course.book, "--course", course.file)

    done = course.run("grader", *classroom)
    assert done.returncode == 0, done.stdout + done.stderr
    found = results(course)
    assert sorted(points for _, name, points in found if name == own_room.NAME) == [2, 5]
    (course.room / "guide.md").write_text("# x01 Another guide\n", encoding="utf-8")
    assert "4 had their result already" in course.run("grader", *classroom).stdout
    (course.room / "test_ladders.py").write_text(own_room.SUITE.replace("41), 42", "40), 41"), encoding="utf-8")
    assert "had their result" not in course.run("grader", *classroom).stdout
    assert len(results(course)) == 2 * len(found)

    def export_to(form, *more):
        where = ("--format", form, "--course", course.file, *more)
        assert cli.main([*map(str, ("export", course.book, *where))]) == 0
        return capsys.readouterr().out

    assert "x01.2" in export_to("tasks") and "Ladders" in export_to("html")
    for form in ("canvas", "moodle", "nbgrader"):
        assert "10" in export_to(form, "--milestone", "x01")
    standing = json.loads(export_to("json"))
    assert "x01_mine" in json.dumps(standing)
    (tmp_path / "class.json").write_text(json.dumps(standing), encoding="utf-8")
    assert cli.main(["export", str(tmp_path / "class.json"), "--format", "moodle", "--milestone", "x01"]) == 0
    assert "x01" in capsys.readouterr().out

    export_to("record", "--out", tmp_path / "records")
    record = next(path for path in sorted((tmp_path / "records").iterdir()) if "nna" in path.name.lower())
    course.hand_in("anna", RIGHT)
    replayed = course.run(
        "grader", "replay", record, "--submission", course.submissions / "anna", "--course", course.file
    )  # fmt: skip
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "All 5 checks ended as in the record" in replayed.stdout and "grader is another" not in replayed.stdout


def test_a_record_of_it_is_shown_in_every_format(course, tmp_path, capsys):
    """Every format that a record is converted to names its tasks, and the lines where they are defined."""
    course.hand_in("anna", {**SOLUTIONS, own_room.NAME: own_room.SHORT})
    graded = ("grade", "--course", course.file, "--submission", course.submissions / "anna")
    assert course.run("grader", *graded, "--json", tmp_path / "record.json").returncode == 1

    for form in ("json", "junit", "markdown", "html", "gradescope", "github-classroom", "annotations"):
        sources = ("--sources", course.submissions / "anna", "--course", course.file)
        assert cli.main([*map(str, ("convert", tmp_path / "record.json", "--to", form, *sources))]) == 0
        shown = capsys.readouterr().out
        shown = base64.b64decode(shown).decode() if form == "github-classroom" else shown
        assert "x01" in shown, form
    assert "file=exercises/x01_mine.py,line=11" in shown


def test_submissions_of_it_are_compared(course):
    """Similarity takes its stub and solution from the room: copies are found, and the solution handed in."""
    for student in ("anna", "ben"):
        course.hand_in(student, RIGHT)
    course.hand_in("cleo", {**SOLUTIONS, own_room.NAME: own_room.STUB})

    asked = ("--course", course.file, "--milestone", "x01", "--out", "alike.html")
    done = course.run("grader", "similarity", course.submissions, *asked)

    assert done.returncode == 0 and "3 submissions compared" in done.stdout, done.stdout + done.stderr
    assert "x01" in (course.folder / "alike.html").read_text(encoding="utf-8")


@systems.linux
def test_it_is_sent_to_workers_of_this_machine(course):
    """`--workers` grades it in processes that have only what they were sent."""
    for number in range(3):
        course.hand_in(f"s{number}", RIGHT)

    done = course.grade("--course", str(course.file), "--workers", "2")

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(points for _, name, points in results(course) if name == own_room.NAME) == [5, 5, 5]


@systems.linux
def test_it_is_sent_to_a_cluster(course, tmp_path):
    """A worker whose machine has no such room gets it as data, proves that its grader is the same, and grades."""
    pytest.importorskip("distributed")
    from test_cluster import running

    course.hand_in("anna", RIGHT)
    shutil.copytree(course.folder, tmp_path / "elsewhere")
    with running(course) as cluster:
        cluster.worker("far", tmp_path / "elsewhere")
        done = course.grade("--course", str(course.file), "--scheduler", cluster.address)

    assert done.returncode == 0, done.stdout + done.stderr
    assert ("anna", own_room.NAME, 5) in results(course)
    assert not list(Path(tempfile.gettempdir()).glob("scratchwork-rooms-*/x01_mine"))


NOSY = own_room.SOLUTION.replace(
    "    return number + 1",
    """    import pathlib

    found = []
    for folder in ("{room}", "{room}/.."):
        try:
            found += [path for path in pathlib.Path(folder).rglob("*ladders.py") if path.read_text()]
        except OSError:
            pass
    return 100 if found else number + 1""",
)


@systems.linux
@pytest.mark.parametrize("level", ["bubblewrap", "user"])
def test_its_suite_is_closed_to_the_code_that_it_checks(level):
    """At the levels that count a submission finds no file of the room, which was open to everybody before."""
    if level == "user" and not systems.ROOT:
        pytest.skip("the user level needs root")
    with tempfile.TemporaryDirectory(prefix="instructor-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        course = SmallCourse(Path(folder) / "course")
        file = own_room.write(Path(folder) / "own")
        room = file.parent / "rooms" / own_room.NAME
        nosy = NOSY.format(room=room)
        course.hand_in("anna", {**SOLUTIONS, own_room.NAME: nosy})
        graded = ("grade", "x01", "--course", file, "--submission", course.submissions / "anna")

        open_to_all = course.run("grader", *graded, "--isolation", "process")
        assert open_to_all.returncode == 1, open_to_all.stdout
        closed = course.run("grader", *graded, "--isolation", level, own_sandbox=True)

        assert closed.returncode == 0, closed.stdout + closed.stderr
        assert level == "bubblewrap" or room.stat().st_mode & 0o077 == 0


def test_pytest_runs_its_room_alone(course):
    """`pytest ROOM` with the suites' own plugin grades it, fixtures and all."""
    course.hand_in("anna", RIGHT)

    options = ("-p", "grader.suites.conftest", "--noconftest", "--course", course.file)
    done = course.run("pytest", *options, course.room, "--submission", course.submissions / "anna")

    assert done.returncode == 0 and "10 of 16 points" in done.stdout, done.stdout + done.stderr


def test_untouched_stubs_are_not_started(course):
    """A stub of the room that was handed in as it is earns nothing and is no failure."""
    course.hand_in("anna", {**STUBS, own_room.NAME: own_room.STUB})

    done = course.grade("--course", str(course.file))

    assert done.returncode == 0, done.stdout + done.stderr
    assert {points for _, name, points in results(course)} == {0}
