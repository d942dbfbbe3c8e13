"""Records out of a gradebook: what a class's results say of one student, replayed with the seed that they came from."""

from __future__ import annotations

import json

import pytest
import support
import systems
from small_course import HALF_DONE, SEED, SOLUTIONS, STUBS, SmallCourse

from grader import cli
from grader.classroom.book import student_records
from grader.classroom.book.gradebook import Gradebook, Key
from grader.classroom.book.standing import Student
from grader.classroom.grading.judging import Setup
from grader.practice import SECRET_SEED_FILE
from grader.record import PASSED, Check, Milestone, Record, Task, to_json
from grader.reports.machines import json_report

CHECKS = 24
DRAWN = f'''
import pytest

from grader.judge import expect_equal


@pytest.mark.task("m00.1")
@pytest.mark.parametrize("case", range({CHECKS}))
def test_twice(student, draw, case):
    """Twice a number is the number added to itself."""
    number = draw.random.randint(1, 1_000_000)
    expect_equal(student.twice(number), 2 * number)


@pytest.mark.task("m00.2")
def test_half(student):
    """Half of a number, twice, is the number."""
    expect_equal(student.half(42), 21.0)
'''
# Right for even numbers: which of the checks it passes is the seed's alone to say.
EVEN = {**SOLUTIONS, "m00_warmup": SOLUTIONS["m00_warmup"].replace("return x + x", "return x + x if x % 2 == 0 else 0")}


def of(course: SmallCourse, student: str) -> tuple[str, str]:
    """Return what says where somebody's modules lie."""
    return "--submission", str(course.submissions / student)


@systems.bubblewrap
def test_an_official_result_is_replayed_with_the_seed_and_without_it_refused(tmp_path):
    """With the seed's file every outcome comes again; another seed and none are one sentence, and no file holds it."""
    course = SmallCourse(tmp_path / "course")
    course.suite("m00_warmup", DRAWN)
    course.hand_in("anna", EVEN)
    graded = course.grade("--official", official=True)
    assert graded.returncode == 0, graded.stdout + graded.stderr
    path, again, seed = (tmp_path / name for name in ("anna.json", "again.json", "seed"))

    exported = course.run("grader", "export", course.book, "--format", "record", "--student", "anna", "--out", path)
    assert (exported.returncode, exported.stdout, exported.stderr) == (0, "", "")
    made = json_report.read(path)
    twice = [check.outcome for check in support.checks(made) if check.id.startswith("test_twice")]
    assert len(twice) == CHECKS and 0 < twice.count(PASSED) < CHECKS
    assert made.official and made.secret_seed and SEED not in path.read_text(encoding="utf-8")

    seed.write_text(f"{SEED}\n")
    right = course.run("grader", "replay", path, *of(course, "anna"), "--json", again, **{SECRET_SEED_FILE: str(seed)})
    assert right.returncode == 0, right.stdout + right.stderr
    assert f"All {CHECKS + 2} checks ended as in the record" in right.stdout
    assert "The grader is another" not in right.stdout
    assert support.outcomes(json_report.read(again)) == support.outcomes(made)
    assert SEED not in right.stdout + right.stderr + again.read_text(encoding="utf-8")

    seed.write_text(f"{SEED}-or-not\n")
    for variables, said in (
        ({SECRET_SEED_FILE: str(seed)}, "is not the one that this record was drawn from"),
        ({}, f"or into a file that {SECRET_SEED_FILE} names"),
    ):
        refused = course.run("grader", "replay", path, *of(course, "anna"), **variables)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr and refused.stderr.count("\n") == 1


def test_everybodys_record_is_replayed(tmp_path):
    """Into a folder goes a record for each student, and each gives the same outcomes when it is graded again.

    So it does on top of the solutions, where each milestone was graded on its own.
    """
    course = SmallCourse(tmp_path / "course")
    course.hand_in("anna", SOLUTIONS)
    course.hand_in("cem", HALF_DONE)
    course.hand_in("eve", {**SOLUTIONS, "m00_warmup": STUBS["m00_warmup"]})
    graded = course.grade("--prerequisites", "solutions")
    assert graded.returncode == 0, graded.stdout + graded.stderr

    exported = course.run("grader", "export", course.book, "--format", "record", "--out", tmp_path / "records")

    assert (exported.returncode, exported.stderr) == (0, "")
    paths = sorted((tmp_path / "records").iterdir())
    assert [path.name for path in paths] == ["anna.json", "cem.json", "eve.json"]
    assert [json_report.read(path).earned for path in paths] == [10.0, 2.0, 4.0]
    for path in paths[1:]:
        done = course.run("grader", "replay", path, *of(course, path.stem), "--prerequisites", "solutions")
        assert done.returncode == 0 and "All 3 checks ended as in the record" in done.stdout, done.stdout + done.stderr


# ── what the gradebook does not say ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def book(tmp_path):
    """A gradebook that a student has results of m00 and m01 in, under conditions that the test names."""

    def fill(*conditions: str, student="s001"):
        path = tmp_path / "book.sqlite"
        with Gradebook.open(path, create=True) as book:
            for milestone, under in zip(support.COURSE.milestones, conditions, strict=False):
                tasks = [Task(t.id, t.title, t.points, 0, [Check("test_it", "It.", "failed")]) for t in milestone.tasks]
                kept = to_json(Record("", "", "", "", "", milestones=[Milestone(milestone.id, "", tasks)]))
                number = book.begin_run("0.1.0", under, official=False, isolation="bubblewrap")
                handin = book.hand_in(number, Student(student), origin="here", handed_in="", problem="", notes=[])
                key = Key(student, milestone.id, "0" * 64, "", "0.1.0", under)
                book.store(number, handin, key, kept["milestones"][0], 1.5)
        return path

    return fill


def conditions(seed: str = "0") -> str:
    """Return the conditions of a practice run."""
    return Setup("0.1.0", "bubblewrap", "cpu", "gpt2-nano", "submission", False, seed, False).conditions()


def export(capsys, *arguments):
    """Export in this process; return the exit code, what was printed and what was said."""
    code = cli.main(["export", *map(str, arguments[:1]), "--format", "record", *map(str, arguments[1:])])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_record_has_the_courses_points_and_the_milestones_named(book, capsys, tmp_path):
    """--course and --milestone select, and the record goes to the screen where no file is named."""
    (tmp_path / "course.toml").write_text(
        '[course]\nname = "C"\n[[milestone]]\nid = "m00"\npoints = 70\n[[milestone]]\nid = "m01"\n'
    )
    path = book(conditions(), conditions())

    code, out, err = export(
        capsys, path, "--student", "s001", "--course", tmp_path / "course.toml", "--milestone", "m00"
    )

    plain = json.loads(out)
    assert (code, err) == (0, "")
    assert [part["id"] for part in plain["milestones"]] == ["m00_warmup"]
    assert (plain["possible"], plain["seed"], plain["seconds"], plain["submission"]) == (70, "0", 1.5, "here")


@pytest.mark.parametrize(
    ("under", "arguments", "sentence"),
    [
        (
            ["{}"],
            ["--student", "s001"],
            "does not say under which conditions m00 of s001 was graded (device, isolation",
        ),
        (["not JSON"], ["--student", "s001"], "which a record needs; grade it anew with --regrade"),
        (
            [conditions(), conditions("1")],
            ["--student", "s001"],
            "m00 and m01 of s001 were graded by different graders",
        ),
        ([conditions()], ["--student", "s001", "--milestone", "m02"], "no result of s001 to make a record of"),
        ([conditions()], ["--student", "s01"], "There is no student 's01' in the gradebook; did you mean s001?"),
        ([conditions()], [], "name it with --out, or one student with --student"),
        ([conditions()], ["--out", "{tmp}/a/b"], "can't be written into {tmp}/a/b: no such file"),
        (["{}"], ["--out", "{tmp}/records"], "There is no result in the gradebook to make a record of"),
        ([conditions()], ["--student", "s001", "--template", "x"], "--format record takes no --template"),
        (
            [conditions("x")[:-1] + ', "official": true}'],
            ["--student", "s001"],
            "make no record: it is called official",
        ),
    ],
)
def test_what_makes_no_record_is_said_in_one_sentence(book, capsys, tmp_path, under, arguments, sentence):
    """Conditions that the gradebook lacks or that differ, unknown students and folders are exit code 2, and no file."""
    code, out, err = export(capsys, book(*under), *(part.format(tmp=tmp_path) for part in arguments))

    assert (code, out) == (2, "")
    assert sentence.format(tmp=tmp_path) in err and err.count("\n") == 1
    assert not list(tmp_path.rglob("*.json"))


def test_who_has_no_record_is_named_beside_those_who_have(book, capsys, tmp_path):
    """A student whose results make no record keeps nobody else's from being written."""
    book("{}", student="s002")

    code, _, err = export(capsys, book(conditions()), "--out", tmp_path / "records")

    assert code == 0 and "m00 of s002" in err and err.count("\n") == 1
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["s001.json"]


def test_an_id_is_no_way_into_another_folder():
    """Files are called by ids in which nothing separates folders, and two ids never share one where case is lost."""
    names = student_records.file_names(["a/../../b", "..", "Anna", "anna", "c:\\d", "x" * 5000])

    assert names["a/../../b"] == "a%2F..%2F..%2Fb.json"
    assert len({name.casefold() for name in names.values()}) == 6
    assert (
        not any(letter in name for name in names.values() for letter in "/\\:") and max(map(len, names.values())) < 255
    )
