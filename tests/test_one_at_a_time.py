"""One assignment at a time: a milestone's result is replaced by a later one of it, and never by its absence."""

from __future__ import annotations

import csv
import io
import json
import shutil

import made_book
import pytest
import support
from handing_in import zipped
from small_course import SOLUTIONS, STUBS, WHOLE_HALF, SmallCourse

from grader.classroom.book.class_standing import class_result
from grader.classroom.book.gradebook import Gradebook

M00, M01 = "m00_warmup", "m01_tokenizer"


@pytest.fixture
def course(tmp_path):
    """A small course of its own."""
    return SmallCourse(tmp_path)


def week(course, name, **students):
    """Write a week's folder: a folder for each student with their modules, and return it."""
    folder = course.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    for student, modules in students.items():
        (folder / student).mkdir(parents=True)
        for module, text in modules.items():
            (folder / student / f"{module}.py").write_text(text, encoding="utf-8")
    return folder


def grade(course, *arguments):
    """Grade what is named into the class's gradebook."""
    return course.run("grader", "classroom", *arguments, "--gradebook", course.book)


def exported(course, *options):
    """Return each student's marks as they would go to an LMS: student -> one cell a milestone."""
    done = course.run("grader", "export", course.book, "--format", "canvas", *options)
    assert done.returncode == 0, done.stderr
    return {row[2]: row[5:] for row in list(csv.reader(io.StringIO(done.stdout)))[2:]}


def rows(course, query):
    """Ask the class's gradebook."""
    with Gradebook.open(course.book) as book:
        return book.rows(query)


def only(module, modules=SOLUTIONS):
    """Return one module of several."""
    return {module: modules[module]}


def test_an_assignment_leaves_the_marks_of_the_others(course):
    """Each week's folder holds one module: what is not in it keeps its mark, in any order and at every regrade."""
    first = week(course, "week1", anna=only(M00), ben=only(M00, WHOLE_HALF), cem=only(M00))
    second = week(course, "week2", anna=only(M01), ben=only(M01))

    done = [grade(course, first), grade(course, second), grade(course, first, "--regrade"), grade(course, second)]

    assert [each.returncode for each in done] == [0] * 4, done[1].stdout + done[1].stderr
    assert "m01 stands on m00 from an earlier hand-in of anna, ben." in done[1].stdout
    assert "2 milestones graded in" in done[1].stdout and "0 milestones graded in" in done[3].stdout
    assert exported(course) == {"anna": ["6", "4"], "ben": ["2", "4"], "cem": ["6", ""]}
    (notes,) = {record["notes"][-1] for record in map(json.loads, records(course, M01))}
    assert notes.startswith("It stands on the latest m00_warmup.py that was handed in, at another time")


def records(course, milestone):
    """Return the texts of a milestone's results."""
    return [text for (text,) in rows(course, f"SELECT record FROM result WHERE milestone = '{milestone}'")]


def test_two_assignments_in_one_command_are_merged(course):
    """Named together they give what they give in turn; the run says what it took from where, and what it ignored."""
    first = week(course, "week1", anna={**SOLUTIONS, M01: STUBS[M01]}, ben=only(M00))
    (first / "anna" / "m01_tokenizer (1).py").write_text("x")
    second = week(course, "week2", anna={**STUBS, M01: SOLUTIONS[M01]}, ben=only(M01))

    done = grade(course, first, second)

    assert done.returncode == 0, done.stdout + done.stderr
    assert exported(course) == {"anna": ["6", "4"], "ben": ["6", "4"]}
    said = " ".join(done.stdout.split())
    assert "anna has handed in 2 times: m00 from week1/anna; m01 from week2/anna." in said
    assert "anna: week1/anna/m01_tokenizer (1).py was ignored: the module is called" in said


def test_drafts_are_remembered_by_the_gradebook(course):
    """A run with a course whose marks are drafts keeps exports without the course's file from giving any away."""
    file = course.folder / "course.toml"
    file.write_text('[course]\nname = "S"\nmilestones = ["m00", "m01"]\ndrafts = true\n')
    done = grade(course, week(course, "week1", anna=only(M00)), "--course", file)
    assert "Drafts\n  m00, m01: students see nothing of it before `marks release`.\n" in done.stdout
    assert exported(course) == {}

    course.run("grader", "marks", "release", course.book, "--milestone", "all", "--author", "Kim")
    assert exported(course) == {"anna": ["6", ""]}


def test_a_newer_module_grades_what_is_made_of_it_again(course):
    """Mending m00 alone grades m01 again, which stands on it; m01 alone waits for an m00, or takes ours."""
    alone = grade(course, week(course, "week2", anna=only(M01)))
    assert "m01: It is made of m00, which was never handed in. (anna)" in " ".join(alone.stdout.split())
    other = grade(course, course.folder / "week2", "--prerequisites", "solutions")
    assert other.returncode == 0, other.stdout
    broken = {M00: SOLUTIONS[M00].replace("x + x", "x * x")}
    late = [grade(course, week(course, name, anna=modules)) for name, modules in [("a", broken), ("b", only(M00))]]

    assert alone.returncode == 1
    assert "anna: m01 is made of m00, which was never handed in" in " ".join(alone.stdout.split())
    assert "no results yet of the class" in alone.stdout and "official" not in alone.stdout
    assert [each.returncode for each in late] == [0, 0]
    assert "m01 was graded again, since what it is made of is newer, of anna." in late[1].stdout
    graded = rows(course, "SELECT milestone, earned FROM result ORDER BY id")
    assert graded == [(M01, 4.0), (M00, 4.0), (M01, 0.0), (M00, 6.0), (M01, 4.0)]
    assert exported(course) == {"anna": ["6", "4"]}


# ── which of two versions is the later one; no code runs here ─────────────────────────────────────────────────────────


@pytest.fixture
def book(tmp_path):
    """An empty gradebook."""
    with Gradebook.open(tmp_path / "book.sqlite", create=True) as book:
        yield book


def test_no_stub_takes_the_place_of_work(book):
    """A hand-in whose other modules are untouched leaves what was written earlier, and says so."""
    stub = support.source("exercises", "m04_attention").replace("\n", "\r\n").encode()
    made_book.week(book, {"anna": {"m00_warmup": b"1", "m04_attention": b"1"}}, "week1")

    tally = made_book.week(book, {"anna": {"m00_warmup": b"2", "m04_attention": stub}}, "week2")

    assert made_book.sources(book, "anna") == {"m00": b"2", "m04": b"1"}
    assert tally.notes == [
        "anna: what the gradebook has goes on counting: an untouched m04 takes the place of no work."
    ]


def test_what_was_taken_before_does_not_come_back_by_itself(book):
    """Reading an old place again replaces nothing that came from elsewhere since, unless it changed or is told to."""
    first = {"anna": {"m00_warmup": b"1"}}
    made_book.week(book, first, "week1")
    made_book.week(book, {"anna": {"m00_warmup": b"2"}}, "resubmitted")

    again = made_book.week(book, first, "week1")
    assert made_book.sources(book, "anna") == {"m00": b"2"}
    assert again.notes[0].endswith("m00 was taken from resubmitted/anna since.") and again.graded + again.kept == 0

    made_book.week(book, {"anna": {"m00_warmup": b"3"}}, "week1")
    assert made_book.sources(book, "anna") == {"m00": b"3"}
    made_book.week(book, {"anna": {"m00_warmup": b"2"}}, "resubmitted", take_earlier=True)
    assert made_book.sources(book, "anna") == {"m00": b"2"}


def test_an_earlier_version_in_the_same_place_brings_its_result_back(book):
    """A folder in which somebody puts an older version again holds what they want to count."""
    for text in (b"1", b"2", b"1"):
        tally = made_book.week(book, {"anna": {"m00_warmup": text}}, "submissions")

    assert made_book.sources(book, "anna") == {"m00": b"1"} and (tally.graded, tally.kept) == (0, 1)


def test_times_of_receipt_say_which_is_later(book):
    """An older export that is graded after a newer one does not take its place, whatever else it brings."""
    made_book.week(book, {"anna": {"m00_warmup": b"2"}}, "newer", "2026-03-02T09:30:00+00:00")

    older = {"anna": {"m00_warmup": b"1", "m04_attention": b"1"}}
    tally = made_book.week(book, older, "older", "2026-03-01T09:30:00+00:00")

    assert made_book.sources(book, "anna") == {"m00": b"2", "m04": b"1"}
    assert tally.notes[0].endswith("m00 came in later, 2026-03-02T09:30:00+00:00.")


def test_a_milestone_is_as_late_as_its_own_module(book):
    """A later m04 grades m05 again and does not make it late; the same module again keeps its first time."""
    days = [f"2026-03-{day:02}T10:00:00+00:00" for day in range(1, 5)]
    made_book.week(book, {"anna": {"m04_attention": b"1", "m05_block": b"1"}}, "a", days[0])
    tally = made_book.week(book, {"anna": {"m04_attention": b"2"}}, "b", days[1])
    made_book.week(book, {"anna": {"m04_attention": b"2", "m05_block": b"1"}}, "c", days[2])

    (standing,) = class_result(book, made_book.COURSE).standings
    assert tally.again == {"m05_block": ["Anna Apt"]} and tally.graded == 2
    assert standing.times == {"m04_attention": days[1], "m05_block": days[0]}


def test_everything_that_is_held_is_graded_again_for_a_mended_suite(course):
    """`--held` takes nothing in and grades what the gradebook has of everybody, once."""
    grade(course, week(course, "week1", anna=only(M00, WHOLE_HALF)))
    grade(course, week(course, "week2", anna=only(M01), ben=SOLUTIONS))
    suite = course.folder / "grader" / "suites" / M00 / "test_suite.py"
    course.suite(M00, suite.read_text().replace("student.half(42), 21.0", "float(student.half(42)), 21.0"))
    shutil.rmtree(course.folder / "week1")

    done = [grade(course, "--held"), grade(course, "--held")]

    assert [each.returncode for each in done] == [0, 0], done[0].stdout + done[0].stderr
    assert "4 milestones graded in" in done[0].stdout and "0 milestones graded in" in done[1].stdout
    assert "anna  m00  2 → 6 / 6" in done[0].stdout
    assert exported(course) == {"anna": ["6", "4"], "ben": ["6", "4"]}
    wrong = grade(course, "--held", "--student", "ana")
    assert wrong.returncode == 2 and "did you mean anna?" in wrong.stderr


def test_who_is_only_not_in_this_collection_is_one_line(course):
    """On the roster and not in this week's folder is no "Nothing handed in" for who has handed in before."""
    roster = course.folder / "roster.csv"
    roster.write_text("id,name\nanna,Anna A\nben,Ben B\ncem,Cem C\n")
    grade(course, week(course, "week1", anna=only(M00), ben=only(M00)), "--roster", roster)
    done = grade(course, week(course, "week2", ben=only(M01)), "--roster", roster)

    assert "Nothing handed in\n  Cem C (cem)\n\n" in done.stdout
    assert "1 student is not in this collection, and what the gradebook has stays: Anna A." in " ".join(
        done.stdout.split()
    )


ZERO = """
[course]
name = "T"
milestones = ["m00"]
missing = "zero"
[[milestone]]
id = "m00"
due = 2020-01-01T00:00:00Z
"""


def test_two_of_one_name_end_with_1_and_with_no_0_until_a_file_says_who_is_who(course):
    """The run names both and what to do, the export has no mark of them, and then each has their own."""
    (course.folder / "zero.toml").write_text(ZERO)
    roster, who, week = (course.folder / name for name in ("roster.csv", "who.csv", "week.zip"))
    roster.write_text("id,name\nk1,Kim Lee\nk2,Kim Lee\nzoe,Zoe Zed\ncem,Cem Cue\n")
    who.write_text("submission,student\nKim Lee_7_assignsubmission_file_,k2\nKim Lee_8_assignsubmission_file_,k1\n")
    handed = {"Kim Lee_7": SOLUTIONS, "Kim Lee_8": WHOLE_HALF, "Zoe Zed_9": SOLUTIONS}
    week.write_bytes(
        zipped({f"{name}_assignsubmission_file/{M00}.py": modules[M00] for name, modules in handed.items()})
    )
    zero = ("--course", course.folder / "zero.toml")

    first = grade(course, week, "--roster", roster, *zero)
    said = " ".join(first.stdout.split())
    assert first.returncode == 1 and "Kim Lee may be Kim Lee (k1) and Kim Lee (k2)" in said and "with --whose" in said
    assert "Nothing handed in Cem Cue (cem)" in said and "several people, and nobody has said yet" in said
    done = course.run("grader", "export", course.book, "--format", "canvas", *zero)
    assert "m00 has no mark for k1, k2:" in done.stderr and "m00 is 0 for cem" in done.stderr
    assert exported(course, *zero) == {"zoe": ["6"], "cem": ["0"]}

    second = grade(course, week, "--roster", roster, "--whose", who, *zero)
    assert second.returncode == 0 and exported(course, *zero) == {"k1": ["2"], "k2": ["6"], "zoe": ["6"], "cem": ["0"]}


def test_modules_beside_archives_end_with_1_and_a_question(course):
    """Without a roster nobody says whether they are one student's or a class's, and nothing is graded."""
    folder = week(course, "week")
    folder.mkdir()
    for name in ("a1.zip", "b2.zip"):
        (folder / name).write_bytes(zipped({f"{M00}.py": SOLUTIONS[M00]}))
    (folder / f"{M00}.py").write_text(SOLUTIONS[M00])

    done = grade(course, folder)

    assert done.returncode == 1 and "it may be one student's or a class's" in " ".join(done.stdout.split())
    assert rows(course, "SELECT COUNT(*) FROM result") == [(0,)]
