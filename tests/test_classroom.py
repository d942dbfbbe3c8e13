"""`python -m grader classroom`, by the real command line: a class in, results kept, nothing graded twice."""

from __future__ import annotations

import json
import re
import subprocess
import time
import zipfile

import pytest
import small_course
import support
import systems
import warm
from attacks import claims
from small_course import HALF_DONE, SEED, SLOW, SOLUTIONS, STUBS, SUITE_M00, WHOLE_HALF, SmallCourse

from grader.classroom.book.class_standing import class_result
from grader.classroom.book.gradebook import Gradebook
from grader.reports.terminal.class_live import ClassProgress, duration

BROKEN_SUITE = SUITE_M00.replace("expect_equal(student.half(42), 21.0)", 'raise KeyError("the suite is wrong")')
LENIENT_SUITE = SUITE_M00.replace("expect_equal(student.half(42), 21.0)", "expect_equal(float(student.half(42)), 21.0)")
NAMES = ("m00_warmup", "m03_embedding")  # of the real course
HOSTILE = {**SOLUTIONS, "m00_warmup": "import os\nos._exit(0)\n"}


@pytest.fixture
def course(tmp_path):
    """A small course of its own."""
    return SmallCourse(tmp_path)


def rows(course: SmallCourse, query: str) -> list:
    """Ask the class's gradebook."""
    with Gradebook.open(course.book) as book:
        return book.rows(query)


def points(course: SmallCourse) -> dict[str, float]:
    """Return what each student's result that was graded last earned, by student and milestone."""
    found = rows(course, "SELECT student, milestone, earned FROM result ORDER BY id")
    return {f"{student} {milestone[:3]}": earned for student, milestone, earned in found}


@systems.bubblewrap
def test_a_class_is_graded_once_and_then_only_what_changed(course):
    """Everyone is graded, the missing and the unreadable are named, and a second run grades what is new and no more.

    The runs are official ones: their gradebook holds no secret seed, and no practice run takes the place of theirs.
    """
    for student, modules in {"anna": SOLUTIONS, "ben": STUBS, "cem": HALF_DONE, "eve": HOSTILE}.items():
        course.hand_in(student, modules)
    (course.submissions / "fay").mkdir()
    (course.submissions / "fay" / "essay.txt").write_text("sorry")
    with zipfile.ZipFile(course.submissions / "dora.zip", "w") as archive:
        for name, text in WHOLE_HALF.items():
            archive.writestr(f"dora/exercises/{name}.py", text)
    roster = course.folder / "roster.csv"
    roster.write_text("id,name,email\ndora,Döra \x1b[31mD,d@x.org\ngus,Gus G,g@x.org\nanna,Anna A,a@x.org\n")
    out = course.folder / "class.json"
    first = course.grade("--official", "--roster", str(roster), "--json", str(out), official=True)

    assert first.returncode == 1, first.stdout + first.stderr  # fay's folder
    lines = first.stdout.splitlines()
    table = [line.split() for line in lines[lines.index(next(x for x in lines if x.startswith("student"))) :]]
    assert table[1:8] == [
        ["Döra", "D", "(dora)", "6", "2", "4"],
        ["Gus", "G", "(gus)", "0", "–", "–"],
        ["Anna", "A", "(anna)", "10", "6", "4"],
        ["ben", "0", "·", "·"],
        ["cem", "2", "2", "·"],
        ["eve", "0", "0", "0"],
        ["fay", "0", "–", "–"],
    ]
    assert "\x1b" not in first.stdout
    assert re.search(r"Could not be graded\n  fay: .*none of the course's modules", first.stdout)
    assert "Nothing handed in\n  Gus G (gus)\n" in first.stdout
    assert "ben is not on the roster" in first.stdout
    assert [each["student"]["id"] for each in json.loads(out.read_text())["standings"]][:3] == ["dora", "gus", "anna"]
    assert rows(course, "SELECT COUNT(*) FROM result") == [(10,)]

    course.hand_in("ben", HALF_DONE)
    second = course.grade("--official", "--roster", str(roster), official=True)
    assert "2 milestones graded" in second.stdout and "8 had their result already" in second.stdout
    assert rows(course, "SELECT COUNT(*), MAX(attempt) FROM result") == [(12, 1)]  # m01 is made of m00
    assert points(course)["ben m00"] == 2.0

    narrow = course.grade("--official", "--student", "anna", "--milestone", "m01", "--regrade", official=True)
    assert narrow.returncode == 0 and "1 milestone graded" in narrow.stdout
    assert rows(course, "SELECT student, milestone FROM result WHERE attempt = 2") == [("anna", "m01_tokenizer")]

    alone = course.grade(
        "--official", "--student", "eve", "--milestone", "m01", "--prerequisites", "solutions", official=True
    )
    assert alone.returncode == 0 and points(course)["eve m01"] == 4.0  # a broken m00 costs nothing there

    practice = course.grade()
    assert practice.returncode == 2 and "holds official results, which a practice run would replace" in practice.stderr
    assert rows(course, "SELECT DISTINCT official, isolation FROM run") == [(1, "bubblewrap")]
    assert SEED.encode() not in course.book.read_bytes()

    exported = course.run("grader", "export", course.book, "--format", "nbgrader")
    assert exported.returncode == 0 and "dora" in exported.stdout


@systems.bubblewrap
def test_whose_something_is_that_cannot_be_told_changes_no_mark(course):
    """An account that gives another's id is named, graded for nobody, and changes neither that one's mark nor name."""
    course.hand_in("c3", STUBS)

    def graded(more: str):
        people = "  - :name: Bob\n    :sid: b2\n    :email: bob@example.org\n"
        metadata = f"submission_1:\n  :submitters:\n{people}  :created_at: 2026-03-01 09:30:00 Z\n{more}"
        path = course.folder / "downloaded.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("submission_metadata.yml", metadata)
            for number, modules in ((1, SOLUTIONS), (9, STUBS)):
                for name, text in modules.items():
                    archive.writestr(f"submission_{number}/{name}.py", text)
        return course.grade("--export", str(path))

    first, marks = graded(""), points(course)
    second = graded(claims.record("Mallory", "b2", "mallory@example.org"))

    assert first.returncode == 0, first.stdout + first.stderr
    assert marks == {"b2 m00": 6.0, "b2 m01": 4.0, "c3 m00": 0.0, "c3 m01": 0.0, **_stub_of("submission_9")}
    assert second.returncode == 1 and points(course) == marks
    said = " ".join(second.stdout.partition("Could not be graded\n")[2].split())
    assert "submission_9 is cannot be told: " in said and "who is Bob (bob@example.org) in the gradebook" in said
    assert ("b2", "Bob", "bob@example.org") in rows(course, "SELECT id, name, email FROM student")


def _stub_of(student: str) -> dict[str, float]:
    return {f"{student} {milestone}": 0.0 for milestone in ("m00", "m01")}


@systems.linux
def test_a_killed_run_goes_on_where_it_was(course):
    """After SIGKILL in the middle the next run grades the rest, and nothing that was kept a second time."""
    for number in range(4):
        course.hand_in(f"s{number}", SLOW)
    process = course.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (course.book.exists() and kept(course)):
        time.sleep(0.05)
    process.kill()
    before = kept(course)
    assert 0 < len(before) < 8

    for number in range(4):  # what is not graded yet may become quicker in the meantime; it is graded as it is now
        if f"s{number} m00_warmup" not in before:
            course.hand_in(f"s{number}", SOLUTIONS)
    done = course.grade()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(before)} had their result already" in done.stdout
    assert rows(course, "SELECT COUNT(*), MAX(attempt) FROM result") == [(8, 1)]
    assert set(points(course).values()) == {6.0, 4.0}
    assert not left_over(process.pid)


def kept(course: SmallCourse) -> list[str]:
    """Return which results the book holds."""
    return [f"{student} {milestone}" for student, milestone in rows(course, "SELECT student, milestone FROM result")]


def left_over(pid: int) -> bool:
    """Whether anything of a killed run still lives a moment later."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
        if not found.stdout.strip():
            return False
        time.sleep(0.1)
    return True


def test_a_second_run_at_the_same_time_is_refused(course):
    """A run on a gradebook that another one grades into ends at once with the other's process id."""
    course.hand_in("slow", SLOW)
    process = course.start()
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not course.book.exists():
            time.sleep(0.05)
        second = course.grade()

        assert second.returncode == 2
        assert f"is in use by process {process.pid}" in second.stderr
    finally:
        process.kill()


def test_a_mended_suite_regrades_and_says_whose_points_changed(course):
    """A fault of the grader is no result; once mended it is graded, and a later change names students and checks."""
    course.hand_in("anna", SOLUTIONS)
    course.hand_in("dora", WHOLE_HALF)
    course.suite("m00_warmup", BROKEN_SUITE)
    broken = course.grade("--milestone", "m00")
    assert broken.returncode == 3
    assert "anna: m00.2 was not graded: a fault of the grader in test_half (KeyError" in broken.stdout
    assert rows(course, "SELECT COUNT(*) FROM result") == [(0,)]

    course.suite("m00_warmup", SUITE_M00)
    strict = course.grade("--milestone", "m00")
    assert strict.returncode == 0 and "2 milestones graded" in strict.stdout
    assert points(course) == {"anna m00": 6.0, "dora m00": 2.0}
    assert "What the new grader changed" not in strict.stdout

    course.suite("m00_warmup", LENIENT_SUITE)
    lenient = course.grade("--milestone", "m00")
    assert lenient.returncode == 0 and "2 milestones graded" in lenient.stdout
    change = re.search(r"What the new grader changed(.|\n)*?\n\n", lenient.stdout).group()
    assert "dora  m00  2 → 6 / 6\n    m00.2  test_half: failed → passed\n" in change and "anna" not in change
    assert rows(course, "SELECT COUNT(*) FROM result") == [(4,)]

    shown = course.grade("--changes")
    assert shown.returncode == 0 and change.strip() in shown.stdout


def test_the_real_course_is_graded_like_grade_does(tmp_path):
    """Real milestones earn in the class what they earn alone, the untouched ones included."""
    for student, folder in (("anna", "solutions"), ("ben", "exercises")):
        target = tmp_path / "class" / student
        target.mkdir(parents=True)
        for milestone in NAMES:
            chosen = folder if milestone == "m03_embedding" else "exercises"
            (target / f"{milestone}.py").write_text(support.source(chosen, milestone))
    book = tmp_path / "book.sqlite"
    chosen = [f"--milestone={name}" for name in NAMES]
    classroom = ("classroom", tmp_path / "class", "--gradebook", book, *chosen)
    done = warm.run("grader", *classroom, sandbox=support.sandbox())

    assert done.returncode == 0, done.stdout + done.stderr
    with Gradebook.open(book) as opened:
        standings = class_result(opened, support.COURSE).standings
    full = support.COURSE.milestone("m03").points
    assert [sum(each.raw(name) for name in NAMES) for each in standings] == [full, 0.0]
    assert all(set(each.milestones) == set(NAMES) for each in standings)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "wants what was handed in"),
        (("nowhere",), "nowhere"),
        ((str(support.REPOSITORY / "exercises"), "--gradebook", "no/folder/book"), "there is no folder no/folder"),
        ((str(support.REPOSITORY / "exercises"), "--milestone", "m99"), "There is no milestone 'm99'"),
        ((str(support.REPOSITORY / "exercises"), "--since", "yesterday"), "'yesterday' is no date"),
        ((str(support.REPOSITORY / "exercises"), "--roster", "none.csv"), "There is no roster none.csv"),
        ((str(support.REPOSITORY / "exercises"), "--workers", "0"), "'0' is not a whole number"),
        (("--changes",), "There is no gradebook gradebook.sqlite"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments, sentence, tmp_path, monkeypatch, capsys):
    """What cannot be done is said in one sentence, with exit code 2, and leaves no gradebook behind."""
    from grader import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("grader.judge.oracles.find_checkpoint", find_checkpoint)
    try:
        code = cli.main(["classroom", *arguments])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr().err

    assert code == 2
    assert sentence in said and said.startswith("scratchwork: ") and said.count("\n") == 1


def find_checkpoint(name):
    """The checkpoint, wherever the test has gone."""
    return small_course.REPOSITORY / "fixtures" / name


def test_progress_says_how_long_the_rest_takes():
    """The estimate goes by what each milestone took so far, here or earlier, and by how many work on it."""
    from rich.console import Console

    console = Console(file=None, record=True, width=80)
    now = [0.0]
    progress = ClassProgress(console, clock=lambda: now[0])
    progress.start({"m00": 10, "m01": 10}, kept=3, mean_seconds={"m01": 30.0})
    now[0] = 20.0
    progress.job_started("Anna", ("m00",))
    progress.job_ended(("m00",), 10.0)
    progress.working(2)
    now[0] = 40.0
    progress.job_ended(("m00",), 10.0, faults=1)

    said = console.export_text().splitlines()
    assert said[0] == "20 milestones to grade (3 have their result in the gradebook)."
    assert said[1] == "1 of 20 milestones, about 6 min left"  # (9 · 10 + 10 · 30) s
    assert said[2] == "2 of 20 milestones, 1 not graded, about 3 min left"  # (8 · 10 + 10 · 30) s / 2
    assert [duration(seconds) for seconds in (0.2, 89, 600, 12000)] == ["1 s", "89 s", "10 min", "3 h 20 min"]
