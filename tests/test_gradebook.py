"""The gradebook: nothing is lost to kill -9, nothing is overwritten, one run at a time, and which result counts."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
import support
import systems

from grader import record
from grader.classroom.book import gradebook, schema
from grader.classroom.book.changes import Turned, changes
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.gradebook import Gradebook, GradebookError, Key
from grader.classroom.book.lock import LockError, RunLock
from grader.classroom.book.standing import Student
from grader.course import Course, Late, Part

COURSE = support.COURSE
WARMUP = COURSE.milestone("m00")
ANNA, BEN = Student("anna", "Anna A", "anna@x.org"), Student("ben")

STORE = """
import itertools, sys
from grader.classroom.book.gradebook import Gradebook, Key
from grader.classroom.book.standing import Student
with Gradebook.open(sys.argv[1], create=True) as book:
    run = book.begin_run("g", "{}", official=False, isolation="bubblewrap")
    handin = book.hand_in(run, Student("anna"), origin="anna", handed_in="", problem="", notes=[])
    print("begun", flush=True)
    for number in itertools.count():
        key = Key("anna", "m00_warmup", f"{run}-{number}", "", "g", "{}")
        book.store(run, handin, key, {"id": "m00_warmup", "earned": 1.0, "possible": 2.0, "pad": "x" * 5000}, 0.1)
        print(f"{run}-{number}", flush=True)
"""
HOLD = """
import sys, time
from pathlib import Path
from grader.classroom.book.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def book(tmp_path):
    """A new gradebook with one run begun."""
    with Gradebook.open(tmp_path / "book.sqlite", create=True) as book:
        begin(book)
        yield book


def begin(book: Gradebook, grader: str = "g1", conditions: str = "{}") -> int:
    """Begin a run."""
    return book.begin_run(grader, conditions, official=False, isolation="bubblewrap")


def key(student: str = "anna", sources: str = "s1", grader: str = "g1") -> Key:
    """Return a key of the warm-up."""
    return Key(student, WARMUP.id, sources, "", grader, "{}")


def graded(*passed: bool) -> dict:
    """Return a graded warm-up as JSON data: its tasks, one check each, passed or not."""
    tasks = [
        record.Task(
            task.id, task.title, task.points, task.points if good else 0.0,
            [record.Check(f"test_{task.id}", "It works.", record.PASSED if good else record.FAILED, ["value"])],
        )
        for task, good in zip(WARMUP.tasks, passed, strict=True)
    ]  # fmt: skip
    milestone = record.Milestone(WARMUP.id, WARMUP.title, tasks)
    whole = record.Record("g1", "anna", "0", "cpu", "bubblewrap", milestones=[milestone])
    return record.to_json(whole)["milestones"][0]


ALL, NONE = graded(*[True] * 5), graded(*[False] * 5)


def hand_in(book: Gradebook, student: Student = ANNA, handed_in: str = "", run: int = 1, **changed) -> int:
    """Hand something in."""
    values = {"origin": "subs/anna", "handed_in": handed_in, "problem": "", "notes": []} | changed
    return book.hand_in(run, student, **values)


# ── kill -9 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_kill_at_any_moment_loses_at_most_the_result_that_was_being_written(tmp_path):
    """Every result that was reported as kept is there after SIGKILL, whole and once, and the next run goes on."""
    path = tmp_path / "book.sqlite"
    dice = random.Random(5)
    reported: set[str] = set()
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", STORE, str(path)], cwd=support.REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "begun\n"
        time.sleep(dice.uniform(0.0, 0.15))
        process.kill()
        said = process.stdout.read().splitlines(keepends=True)
        process.wait()
        reported |= {line.strip() for line in said if line.endswith("\n")}

    with Gradebook.open(path) as book:
        kept = [sources for (sources,) in book.rows("SELECT sources FROM result")]
        hanging = book.rows("SELECT id FROM standing WHERE result IS NULL OR result NOT IN (SELECT id FROM result)")
        assert book.rows("PRAGMA integrity_check") == [("ok",)]
    assert len(reported) > 20  # it was really at work
    assert reported <= set(kept)
    assert len(set(kept) - reported) <= 8  # at most one in flight for each kill
    assert len(kept) == len(set(kept)) and hanging == []
    assert {part.name for part in tmp_path.iterdir()} <= {"book.sqlite", "book.sqlite-journal"}


# ── one run at a time ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_second_run_is_refused_and_a_killed_one_leaves_no_lock(tmp_path):
    """While a run holds the lock the next one is told by which process; after kill -9 it gets in at once."""
    path = tmp_path / "book.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=support.REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "held\n"

        with pytest.raises(LockError, match=rf"is in use by process {process.pid} on .* since 20\d\d-.*; wait until"):
            RunLock(path)
    finally:
        process.kill()
        process.wait()
    RunLock(path).release()
    RunLock(path).release()


@systems.links
def test_the_lock_follows_the_file_and_not_its_name(tmp_path):
    """Another name for the same gradebook is locked as well."""
    path = tmp_path / "book.sqlite"
    Gradebook.open(path, create=True).close()
    (tmp_path / "link.sqlite").symlink_to(path)
    lock = RunLock(path)

    with pytest.raises(LockError, match="in use"):
        RunLock(tmp_path / "link.sqlite")
    lock.release()


def test_readers_do_not_wait_for_a_run(book):
    """An export reads the book while a run holds its lock."""
    lock = RunLock(book.path)
    hand_in(book)
    with Gradebook.open(book.path) as other:
        assert [standing.student for standing in class_result(other, COURSE).standings] == [ANNA]
    lock.release()


# ── files that are no gradebooks, and those of other versions ─────────────────────────────────────────────────────────


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path):
    """A file with other tables, as nbgrader's gradebook.db is one, is named and not written to."""
    path = tmp_path / "gradebook.db"
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE grade (id INTEGER)")
    before = path.read_bytes()

    with pytest.raises(GradebookError, match="database of another program, and is left as it is"):
        Gradebook.open(path, create=True)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path):
    """Text in place of a database is one sentence; so are a missing file and a missing folder."""
    path = tmp_path / "book.sqlite"
    path.write_text("id,name\n" * 1000)
    with pytest.raises(GradebookError, match="is no gradebook that can be used"):
        Gradebook.open(path)
    with pytest.raises(GradebookError, match=r"There is no gradebook .*nowhere"):
        Gradebook.open(tmp_path / "nowhere")
    with pytest.raises(GradebookError, match="there is no folder"):
        Gradebook.open(tmp_path / "no" / "folder", create=True)


def test_a_newer_gradebook_is_refused(book):
    """A book whose tables a later version made says so, and is not touched."""
    book.rows(f"PRAGMA user_version = {schema.VERSION + 1}")

    with pytest.raises(GradebookError, match=f"newer version .* version {schema.VERSION + 1}.*update the grader"):
        Gradebook.open(book.path)


def test_an_older_gradebook_is_brought_up_to_date_with_its_results(book, monkeypatch):
    """Opening a book with a later version's scripts adds what is new, once, and keeps what is there."""
    result = book.store(1, hand_in(book), key(), ALL, 0.1)
    more = "ALTER TABLE run ADD COLUMN remark TEXT NOT NULL DEFAULT '';\nCREATE TABLE extra (id INTEGER) STRICT;\n"
    monkeypatch.setattr(gradebook, "SCRIPTS", (*schema.SCRIPTS, more))
    monkeypatch.setattr(gradebook, "VERSION", schema.VERSION + 1)

    for _ in range(2):
        with Gradebook.open(book.path) as newer:
            assert newer.rows("SELECT remark FROM run") == [("",)]
            assert newer.find(key()) == result
            assert newer.rows("PRAGMA user_version") == [(schema.VERSION + 1,)]


def test_a_migration_that_fails_changes_nothing(book, monkeypatch):
    """A script whose second statement is wrong leaves the book as it was."""
    monkeypatch.setattr(gradebook, "SCRIPTS", (*schema.SCRIPTS, "CREATE TABLE extra (id INTEGER);\nCREATE nonsense;\n"))
    monkeypatch.setattr(gradebook, "VERSION", schema.VERSION + 1)
    with pytest.raises(GradebookError):
        Gradebook.open(book.path)
    monkeypatch.undo()

    with Gradebook.open(book.path) as same:
        assert same.rows("SELECT COUNT(*) FROM sqlite_master WHERE name = 'extra'") == [(0,)]


# ── results and what counts ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_result_is_found_by_all_of_its_key(book):
    """Another student, source, grader or condition has no result yet."""
    book.store(1, hand_in(book), key(), ALL, 0.1)
    others = [key(student="ben"), key(sources="s2"), key(grader="g2"), Key(*("anna", WARMUP.id, "s1", "p", "g1", "{}"))]

    assert book.find(key()) is not None
    assert [book.find(other) for other in others] == [None] * 4


def test_history_is_never_overwritten(book):
    """Grading the same again adds a result, and the new one counts."""
    handin = hand_in(book)
    first, second = (book.store(1, handin, key(), plain, 0.1) for plain in (NONE, ALL))

    assert book.find(key()) == second
    assert book.rows("SELECT id, attempt, earned FROM result") == [(first, 1, 0.0), (second, 2, WARMUP.points)]
    assert class_result(book, COURSE).standings[0].score(WARMUP.id) == WARMUP.points


def test_a_result_that_is_none_is_named(book):
    """A row that is no result of our schema is one sentence that says whose, instead of marks or a traceback."""
    book.store(1, hand_in(book), key(), {**ALL, "earned": 99.0}, 0.1)

    with pytest.raises(GradebookError, match=rf"{WARMUP.id} for anna cannot be read \(.*\); grade it anew"):
        class_result(book, COURSE)


def test_handing_in_an_earlier_version_again_brings_its_result_back(book):
    """What counts is the result of what was handed in last, not the result that was graded last."""
    handin = hand_in(book)
    first = book.store(1, handin, key(sources="s1"), ALL, 0.1)
    book.store(1, handin, key(sources="s2"), NONE, 0.1)
    book.settle(1, handin, key(sources="s1"), first)

    assert class_result(book, COURSE).standings[0].score(WARMUP.id) == WARMUP.points


def test_a_fault_is_no_result_and_leaves_the_earlier_one(book):
    """Where the grader was at fault the earlier result still counts, and a note says what happened."""
    handin = hand_in(book)
    book.store(1, handin, key(), ALL, 0.1)
    book.fail(1, handin, key(sources="s2"), "m00 was not graded: a fault.")
    standing = class_result(book, COURSE).standings[0]

    assert book.find(key(sources="s2")) is None
    assert standing.score(WARMUP.id) == WARMUP.points
    assert standing.notes == ["m00 was not graded: a fault. The result of an earlier run still counts."]

    book.store(1, handin, key(sources="s2"), NONE, 0.1)
    assert class_result(book, COURSE).standings[0].notes == []


def test_the_roster_gives_the_order_and_the_missing(book):
    """Students stand in the roster's order, those without a submission included, and strangers after them."""
    book.enrol([Student("zoe"), ANNA])
    hand_in(book)
    hand_in(book, Student("stranger"), problem="It is no archive.")
    standings = class_result(book, COURSE).standings

    assert [standing.student.id for standing in standings] == ["zoe", "anna", "stranger"]
    assert [bool(standing.origin) for standing in standings] == [False, True, True]
    assert standings[2].problem == "It is no archive."

    book.enrol([ANNA])
    assert [standing.student.id for standing in class_result(book, COURSE).standings] == ["anna", "stranger"]


def test_a_course_sets_points_and_lateness_without_grading_anew(book):
    """The same result is priced with the course's points, and lateness is taken off by the time of handing in."""
    handin = hand_in(book, handed_in="2026-10-02T11:00:00+02:00")
    book.store(1, handin, key(), graded(True, True, False, False, False), 0.1)
    due = datetime(2026, 10, 1, 10, tzinfo=UTC)
    points = {task.id: 10.0 for task in WARMUP.tasks}
    course = Course("Late", (Part(WARMUP.id, tasks=points, due=due, late=Late(per_day=0.1)),))
    result = class_result(book, COURSE, course)

    assert [(column.milestone, column.possible) for column in result.columns] == [(WARMUP.id, 50.0)]
    assert result.standings[0].raw(WARMUP.id) == 20.0
    assert result.standings[0].penalties == {WARMUP.id: 2.0}
    assert class_result(book, COURSE).standings[0].raw(WARMUP.id) == 4.0


def test_what_was_handed_in_on_time_does_not_become_late(book):
    """Handing in again with the same sources of a milestone keeps its first time; other sources have a later one."""
    first = hand_in(book, handed_in="2026-10-01T10:00:00+00:00")
    result = book.store(1, first, key(), ALL, 0.1)
    again = hand_in(book, handed_in="2026-11-01T10:00:00+00:00", run=1)
    book.settle(1, again, key(), result)
    assert book.rows("SELECT handed_in FROM standing") == [("2026-10-01T10:00:00+00:00",)]

    book.store(1, again, key(sources="s2"), ALL, 0.1)
    assert book.rows("SELECT handed_in FROM standing")[-1] == ("2026-11-01T10:00:00+00:00",)


def test_an_unchanged_hand_in_adds_no_row(book):
    """Running again over the same submissions leaves hand-ins and standings as they are."""
    for _ in range(3):
        handin = hand_in(book)
        result = book.find(key()) or book.store(1, handin, key(), ALL, 0.1)
        book.settle(1, handin, key(), result)

    assert book.rows("SELECT (SELECT COUNT(*) FROM handin), (SELECT COUNT(*) FROM standing)") == [(1, 1)]


def test_results_of_two_measures_are_named(book):
    """A class of which only a part was graded by the new grader is said to have two measures."""
    book.store(1, hand_in(book), key(), ALL, 0.1)
    book.store(1, hand_in(book, BEN), key(student="ben"), ALL, 0.1)
    run = begin(book, grader="g2")
    book.store(run, hand_in(book, BEN, run=run), key(student="ben", grader="g2"), ALL, 0.1)

    assert class_result(book, COURSE).notes[0].startswith("1 student has results from an earlier grader")


# ── a mended suite ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_changes_name_whose_points_changed_and_by_which_checks(book):
    """A new grader's result of the same sources is compared with the one before; other sources are not."""
    anna, ben = hand_in(book), hand_in(book, BEN)
    book.store(1, anna, key(), graded(True, False, True, True, True), 0.1)
    book.store(1, ben, key(student="ben", sources="old"), NONE, 0.1)
    run = begin(book, grader="g2")
    book.store(run, anna, key(grader="g2"), ALL, 0.1)
    book.store(run, ben, key(student="ben", sources="new", grader="g2"), ALL, 0.1)
    found = changes(book)

    assert [(change.student.id, change.before, change.now, change.graders) for change in found] == [
        ("anna", 8.0, 10.0, ("g1", "g2"))
    ]
    assert found[0].checks == [Turned("m00.2", "test_m00.2", record.FAILED, record.PASSED)]


def test_the_book_is_plain_json_and_sql(book):
    """Whoever reads the file with other tools finds each milestone as a record has it."""
    book.store(1, hand_in(book), key(), ALL, 0.1)
    with contextlib.closing(sqlite3.connect(book.path)) as plain:
        text = plain.execute("SELECT record FROM result").fetchone()[0]

    assert json.loads(text) == ALL


def test_a_class_is_graded_anew_when_what_judges_changes_and_not_for_a_report(tmp_path, monkeypatch):
    """The version that keys results covers suites, judge and sandbox, and not what only shows results."""
    from grader.judge import fingerprint

    shutil.copytree(fingerprint.GRADER, tmp_path / "grader", ignore=shutil.ignore_patterns("__pycache__"))
    before = fingerprint.judging_hash.__wrapped__()
    monkeypatch.setattr(fingerprint, "GRADER", tmp_path / "grader")
    assert fingerprint.judging_hash.__wrapped__() == before

    (tmp_path / "grader" / "reports" / "words.py").write_text("")
    (tmp_path / "grader" / "classroom" / "grading" / "batch.py").unlink()
    assert fingerprint.judging_hash.__wrapped__() == before

    for name in (
        "suites/m04_attention/test_suite.py",
        "suites/m04_attention/milestone.toml",
        "judge/compare.py",
        "sandbox/inside/session.py",
        "syllabus.toml",
    ):
        path = tmp_path / "grader" / name
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        changed = fingerprint.judging_hash.__wrapped__()
        assert changed != before
        before = changed
