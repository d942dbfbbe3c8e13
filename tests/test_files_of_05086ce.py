"""Files that an earlier build made still open, with their marks unchanged: a gradebook, a course, a class, progress."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import support
import warm

from grader.progress import Progress

FILES = support.TESTS / "files_of_05086ce"
COURSE = FILES / "course.toml"
EXERCISES = Path("/var/tmp/scratchwork-of-05086ce/exercises")  # whose progress it is: there is no such folder here
MARKS = ("student_id", "name", "milestone", "task", "outcome", "earned", "possible", "checks_passed", "mistake")
TABLES = ("run", "student", "handin", "result", "standing")


@pytest.fixture
def book(tmp_path):
    """A copy of the gradebook, which today's code may bring up to date."""
    return Path(shutil.copy(FILES / "book-of-05086ce.sqlite", tmp_path / "gradebook.sqlite"))


def grader(*arguments, **environment):
    """Run the grader's command line and return what it prints; it must not be at fault."""
    variables = os.environ | environment | {"COLUMNS": "120"}
    done = warm.run("grader", *arguments, env=variables, sandbox=support.sandbox())
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def marks(table):
    """The lines of an exported table, without what a later syllabus may call otherwise."""
    return [[line[column] for column in MARKS] for line in csv.DictReader(table.splitlines())]


def standings(plain):
    """Each student's total, lateness, time, and points of each task, out of a class's JSON."""
    return {
        standing["student"]["id"]: {
            "total": standing["total"],
            "penalties": standing["penalties"],
            "handed in": standing["handed_in"],
            "tasks": {
                task["id"]: (task["points"], task["earned"], [check["outcome"] for check in task["checks"]])
                for milestone in standing["milestones"]
                for task in milestone["tasks"]
            },
        }
        for standing in json.loads(plain)["standings"]
    }


def rows(book):
    """All that the gradebook holds, table by table."""
    with contextlib.closing(sqlite3.connect(book)) as database:
        return {table: database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}


@pytest.mark.parametrize("kept", ["book-of-05086ce.sqlite", "standing.json"])
def test_a_kept_class_exports_the_marks_it_had(kept, tmp_path):
    """The gradebook with its course file, and the class's JSON, give every task's points and outcome as they did."""
    file = shutil.copy(FILES / kept, tmp_path / kept)
    course = ["--course", COURSE] if kept.endswith("sqlite") else []  # a class's JSON has it applied

    exported = grader("export", file, "--format", "tasks", *course)

    assert len(marks(exported)) == 27
    assert marks(exported) == marks((FILES / "marks.csv").read_text(encoding="utf-8"))


def test_lateness_and_points_of_the_course_are_as_they_were(book):
    """The course file scales points and takes off for lateness what it took off then."""
    exported = standings(grader("export", book, "--format", "json", "--course", COURSE))

    assert exported == standings((FILES / "standing.json").read_text(encoding="utf-8"))
    assert {who: round(standing["total"], 3) for who, standing in exported.items()} == {"a1": 30, "b2": 15.9, "c3": 18}


def test_a_further_run_on_top_loses_nothing(book, tmp_path):
    """Today's code adds what one student hands in anew; everything that stood in the gradebook stands there still."""
    before = rows(book)
    folder = tmp_path / "class" / "b2"
    folder.mkdir(parents=True)
    shutil.copy(support.REPOSITORY / "solutions" / "m00_warmup.py", folder)

    grader("classroom", folder.parent, "--gradebook", book, "--course", COURSE, "--milestone", "m00")

    after = rows(book)
    for table in TABLES:
        kept = dict(zip([row[0] for row in after[table]], after[table], strict=True))
        assert [kept[row[0]][: len(row)] for row in before[table]] == before[table], table
    exported = standings(grader("export", book, "--format", "json", "--course", COURSE))
    then = standings((FILES / "standing.json").read_text(encoding="utf-8"))
    assert exported["a1"] == then["a1"] and exported["c3"] == then["c3"]
    assert exported["b2"]["tasks"]["m00.1"][1] == 4 and then["b2"]["tasks"]["m00.1"][1] == 0
    assert exported["b2"]["tasks"]["m03.1"] == then["b2"]["tasks"]["m03.1"]


def test_kept_progress_is_known(tmp_path):
    """A progress.json gives each milestone's points and outcomes, and the hint that comes next."""
    path = Path(shutil.copy(FILES / "progress.json", tmp_path))

    progress = Progress(path)

    assert progress.trouble is None
    for milestone, earned, failed in (("m00_warmup", 4, 3), ("m03_embedding", 8, 0)):
        last = progress.last(EXERCISES, milestone)
        assert last.earned == earned and sum(task.outcome == "failed" for task in last.tasks) == failed
    kept = json.loads(path.read_text(encoding="utf-8"))["submissions"][str(EXERCISES)]["m03_embedding"]
    assert progress.passed(EXERCISES, "m03_embedding", kept["key"]).earned == 8
    assert progress.next_hint("m00.1", 3) == 1


def test_kept_progress_is_listed(tmp_path):
    """`list` shows the points of an earlier build's progress for the folder that it is about."""
    mine = tmp_path / "exercises"
    shutil.copytree(support.REPOSITORY / "solutions", mine, ignore=shutil.ignore_patterns("__pycache__"))
    kept = (FILES / "progress.json").read_text(encoding="utf-8").replace(str(EXERCISES), str(mine.resolve()))
    (tmp_path / "progress.json").write_text(kept, encoding="utf-8")

    listed = grader("list", "--submission", mine, SCRATCHWORK_STATE=str(tmp_path)).splitlines()

    (warmup,) = [line for line in listed if " m00 " in line]
    (embedding,) = [line for line in listed if " m03 " in line]
    assert "4 / 10" in warmup and "8 / 8" in embedding
