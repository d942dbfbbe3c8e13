"""A class's clock: a submission that holds the judge itself is out of time, and nobody else notices."""

from __future__ import annotations

import json

import pytest
import small_course
import systems
from small_course import SOLUTIONS, SUITE_M00, SmallCourse

from grader.classroom.book.gradebook import Gradebook

pytestmark = systems.linux
# A check that never ends, in the judge, where no clock of the student's runs and no signal is looked at: it waits for a
# lock that it has itself, and holds on to the interpreter, but to no core.
HELD = "import ctypes\n" + SUITE_M00.replace(
    "expect_equal(student.twice(21), 42)",
    """value = student.twice(21)
    if value == 43:
        lock, mutex = ctypes.PyDLL(None).pthread_mutex_lock, ctypes.create_string_buffer(256)
        lock(mutex), lock(mutex)
    expect_equal(value, 42)""",
)
HOLDING = {**SOLUTIONS, "m00_warmup": "def twice(x):\n    return 43\n\n\ndef half(x):\n    return x / 2\n"}


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A small course whose checks have three seconds each, and its judge two to spare."""
    monkeypatch.setattr(small_course, "SYLLABUS", small_course.SYLLABUS.replace("seconds = 60", "seconds = 3"))
    made = SmallCourse(tmp_path / "course")
    path = made.folder / "grader" / "classroom" / "grading" / "judging.py"
    text = path.read_text().replace("SPARE_SECONDS = 120.0", "SPARE_SECONDS = 2.0")
    assert "SPARE_SECONDS = 2.0" in text
    path.write_text(text)
    made.suite("m00_warmup", HELD)
    return made


def newest(course: SmallCourse) -> dict[str, tuple[float, set[str]]]:
    """Return each student's points in m00 and how its checks ended, of what was graded last."""
    with Gradebook.open(course.book) as book:
        found = book.rows("SELECT student, earned, record FROM result WHERE milestone = 'm00_warmup' ORDER BY id")
    return {
        student: (earned, {check["outcome"] for task in json.loads(text)["tasks"] for check in task["checks"]})
        for student, earned, text in found
    }


@pytest.mark.parametrize("where", [(), ("--workers", "2")], ids=["one judge", "two workers"])
def test_a_submission_that_holds_the_judge_is_out_of_time(course, where):
    """Its judge is ended, its old mark is replaced by none, and those before and after it are graded as ever."""
    for student in ("anna", "eve"):
        course.hand_in(student, SOLUTIONS)
    assert course.grade("--milestone", "m00").returncode == 0
    assert newest(course) == {"anna": (6.0, {"passed"}), "eve": (6.0, {"passed"})}

    course.hand_in("eve", HOLDING)
    for student in ("dora", "zoe"):
        course.hand_in(student, SOLUTIONS)
    result = course.grade("--milestone", "m00", *where)

    assert result.returncode == 0, result.stdout + result.stderr
    right = {name: (6.0, {"passed"}) for name in ("anna", "dora", "zoe")}
    assert newest(course) == right | {"eve": (0.0, {"timed_out"})}
