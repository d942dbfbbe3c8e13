"""One assignment at a time: a milestone's result is replaced by a later one of it, and never by its absence."""

from __future__ import annotations

import csv
import io
import json
import shutil

import pytest
from handing_in import zipped
from small_course import HALF_DONE, SOLUTIONS, STUBS, WHOLE_HALF, SmallCourse

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
    """Named together they give what they give one after the other, and the run says what it took from where."""
    first = week(course, "week1", anna={**SOLUTIONS, M01: STUBS[M01]}, ben=only(M00))
    second = week(course, "week2", anna={**STUBS, M01: SOLUTIONS[M01]}, ben=only(M01))

    done = grade(course, first, second)

    assert done.returncode == 0, done.stdout + done.stderr
    assert exported(course) == {"anna": ["6", "4"], "ben": ["6", "4"]}
    assert "anna has handed in 2 times: m00 from week1/anna; m01 from week2/anna." in " ".join(done.stdout.split())


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


def test_no_stub_takes_the_place_of_work(course):
    """A hand-in whose other modules are untouched leaves what was written earlier, and says so."""
    grade(course, week(course, "week1", anna=SOLUTIONS))
    done = grade(course, week(course, "week2", anna={**STUBS, M00: WHOLE_HALF[M00]}))

    assert exported(course) == {"anna": ["2", "4"]}
    assert "anna: what the gradebook has goes on counting: an untouched m01 takes" in " ".join(done.stdout.split())


def test_what_was_taken_before_does_not_come_back_by_itself(course):
    """Reading an old place again replaces nothing that came from elsewhere since, unless it is told to."""
    first = week(course, "week1", anna=only(M00, HALF_DONE))
    grade(course, first)
    grade(course, week(course, "resubmitted", anna=only(M00)))
    again, forced = grade(course, first), grade(course, first, "--take-earlier")

    assert "m00 was taken from resubmitted/anna since" in " ".join(again.stdout.split())
    assert "1 milestone graded" not in again.stdout
    assert forced.returncode == 0 and exported(course) == {"anna": ["2", ""]}


def test_times_of_receipt_say_which_is_later(course):
    """An older export that is graded after a newer one does not take its place."""

    def export(name, time, module):
        metadata = f"submission_1:\n  :submitters:\n  - :name: Anna\n    :sid: anna\n  :created_at: {time}\n"
        path = course.folder / f"{name}.zip"
        path.write_bytes(zipped({"submission_metadata.yml": metadata, f"submission_1/{M00}.py": module}))
        return path

    newer = export("newer", "2026-03-02 09:30:00 Z", SOLUTIONS[M00])
    older = export("older", "2026-03-01 09:30:00 Z", HALF_DONE[M00])
    done = [grade(course, "--export", newer), grade(course, "--export", older)]

    assert "m00 came in later, 2026-03-02T09:30:00+00:00" in " ".join(done[1].stdout.split())
    assert exported(course) == {"anna": ["6", ""]}


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


def test_each_students_notes_stand_on_the_terminal(course):
    """What was named and ignored is said with whose it was."""
    folder = week(course, "week1", anna=SOLUTIONS)
    (folder / "anna" / "m01_tokenizer (1).py").write_text("x")

    done = grade(course, folder)

    assert "anna: week1/anna/m01_tokenizer (1).py was ignored: the module is called" in " ".join(done.stdout.split())
