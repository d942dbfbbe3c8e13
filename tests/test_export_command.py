"""`convert` and `export` on the command line: from a record, a class and a gradebook to a table."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import subprocess
from pathlib import Path

import lms_readers
import made_class
import made_record
import pytest
import support
import warm

from grader import cli
from grader.classroom.book import standing_json
from grader.classroom.book.gradebook import Gradebook, Key
from grader.classroom.book.standing import Student
from grader.record import FAILED, PASSED, Check, Milestone, Record, Task, to_json
from grader.reports.machines import json_report
from grader.reports.marks import sheets
from grader.reports.marks.targets import read_titles

CLASS = made_class.hostile_class


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the grader's command line."""
    return warm.run("grader", *arguments)


def test_a_saved_record_is_converted_on_the_command_line(tmp_path):
    """`convert` writes a saved official record in a student's format, and never the instructor's JSON of it."""
    saved, out = tmp_path / "record.json", tmp_path / "results.json"
    json_report.write(made_record.official(), saved)

    written = run("convert", saved, out, "--to", "gradescope", "--visibility", "after_published")
    shown = run("convert", saved, "--to", "json")

    assert (written.returncode, written.stderr) == (0, "")
    assert json.loads(out.read_text(encoding="utf-8"))["visibility"] == "after_published"
    assert json.loads(shown.stdout)["seed"] == "" and "8f3a" not in shown.stdout


def test_a_class_is_exported_on_the_command_line(tmp_path):
    """`export` writes the table to a file and its warnings to the screen."""
    book, out = tmp_path / "class.json", tmp_path / "marks.csv"
    book.write_text(standing_json.render(CLASS()), encoding="utf-8")

    done = run("export", book, "--format", "canvas", "--milestone", "m04", "--out", out)

    assert done.returncode == 0 and done.stdout == ""
    assert (
        out.read_text(encoding="utf-8").splitlines()[0] == "Student,ID,SIS User ID,SIS Login ID,Section,m04 Attention"
    )
    assert all(line.startswith("scratchwork: ") for line in done.stderr.splitlines())
    assert "s006" in done.stderr


def test_a_gradebook_is_exported_on_the_command_line(tmp_path):
    """`export` reads the gradebook itself, with a course's own points where a course is named."""
    book, course = tmp_path / "book.db", tmp_path / "course.toml"
    tasks = fill(book)
    course.write_text('[course]\nname = "Short"\nmilestones = ["m00"]\n[[milestone]]\nid = "m00"\npoints = 100\n')

    whole = run("export", book, "--format", "json")
    short = run("export", book, "--format", "moodle", "--course", course)

    assert (whole.returncode, short.returncode) == (0, 0), whole.stderr + short.stderr
    standing = standing_json.from_json(json.loads(whole.stdout)).standings[0]
    possible = sum(task.points for task in tasks)
    assert (standing.student.id, standing.raw("m00_warmup")) == ("s001", tasks[0].points)
    marks = lms_readers.moodle(short.stdout, "ID number", {"s001": "s001"})
    assert marks["s001"] == {"m00 Warm-up": round(100 * tasks[0].points / possible, 2)}


def fill(path: Path) -> list[Task]:
    """Make a gradebook in which one student has earned the first task of m00; return the milestone's tasks."""
    warmup = support.COURSE.milestone("m00")
    outcomes = [PASSED] + [FAILED] * (len(warmup.tasks) - 1)
    tasks = [
        Task(
            task.id,
            task.title,
            task.points,
            task.points * (outcome == PASSED),
            [Check("test_it", "It holds.", outcome)],
        )
        for task, outcome in zip(warmup.tasks, outcomes, strict=True)
    ]
    kept = Record("", "", "", "", "", milestones=[Milestone(warmup.id, warmup.title, tasks, sources="0" * 64)])
    key = Key("s001", warmup.id, "0" * 64, "", "0.1.0", "{}")
    with Gradebook.open(path, create=True) as book:
        number = book.begin_run("0.1.0", "{}", official=True, isolation="bubblewrap")
        student = Student("s001", "Ada", "ada@uni.example")
        handin = book.hand_in(number, student, origin="submissions/ada", handed_in="", problem="", notes=[])
        book.store(number, handin, key, to_json(kept)["milestones"][0], 1.0)
        book.end_run(number)
    return tasks


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "{tmp}/none.db", "--format", "canvas"], "can't be read: no such file"),
        (["export", "{tmp}/text.txt", "--format", "canvas"], "neither JSON nor a gradebook"),
        (["export", "{tmp}/other.db", "--format", "canvas"], "a database of another program"),
        (["export", "{tmp}/class.json", "--format", "html", "--course", "x"], "--course belongs to a gradebook"),
        (["export", "{tmp}/class.json", "--format", "moodle-worksheet"], "--template FILE"),
        (["export", "{tmp}/class.json", "--format", "nbgrader", "--template", "x"], "takes no --template"),
        (["export", "{tmp}/class.json", "--format", "canvas", "--milestone", "m05"], "no results for m05_block"),
        (
            ["export", "{tmp}/class.json", "--format", "canvas", "--template", "{tmp}/text.txt"],
            "no gradebook of Canvas's",
        ),
        (["export", "{tmp}/class.json", "--format", "canvas", "--columns", "{tmp}/text.txt"], "milestone,column"),
        (["convert", "{tmp}/text.txt", "--to", "html"], "is no result record"),
        (["convert", "{tmp}/class.json", "--to", "html", "--visibility", "hidden"], "belongs to --to gradescope"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_sentence(tmp_path, arguments, sentence):
    """Wrong input ends with exit code 2 and one sentence on the screen, and no file."""
    (tmp_path / "text.txt").write_text("hello\nworld\n")
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE grades (a)")
    (tmp_path / "class.json").write_text(standing_json.render(CLASS()))

    done = run_here([argument.format(tmp=tmp_path) for argument in arguments])

    assert done[0] == 2
    assert len(done[1].splitlines()) == 1 and sentence in done[1]


def run_here(arguments: list[str]) -> tuple[int, str]:
    """Run a command in this process, which is faster; return exit code and what it said."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = cli.main(arguments)
    return code, said.getvalue()


def test_a_mapping_of_columns_is_read_strictly(tmp_path):
    """A mapping file names each milestone once; anything else is refused with its row."""
    file = tmp_path / "columns.csv"
    file.write_text("milestone,column\nm04,Homework 4 (104)\ntotal,All (1)\n")

    assert read_titles(file) == {"m04": "Homework 4 (104)", "total": "All (1)"}

    file.write_text("milestone,column\nm04,a\nm04,b\n")
    with pytest.raises(sheets.SheetError, match="Row 3"):
        read_titles(file)
