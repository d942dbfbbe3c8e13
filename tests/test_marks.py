"""`marks`: what is decided after grading holds, with author, reason and history, and reaches every export."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import made_book
import pytest

from grader import cli
from grader import course as courses
from grader.classroom.book import standing_json
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.decisions import Decision, decide
from grader.classroom.book.gradebook import Gradebook
from grader.reports.marks.feedback import feedback

ANNA, BEN, CEM = "anna", "ben", "cem"
DUE = """
[course]
name = "Term"
milestones = ["m00", "m04"]
{more}
[late]
per_day = 0.1
{late}
[[milestone]]
id = "m00"
due = 2026-03-01T12:00:00Z
{m00}
[[milestone]]
id = "m04"
{m04}
{end}
"""


@pytest.fixture
def book(tmp_path):
    """A gradebook of three."""
    return made_book.make(tmp_path / "book.sqlite")


def run(*arguments):
    """Run a command in this process; return exit code, what it printed and what it complained of."""
    printed = io.BytesIO()
    said = io.TextIOWrapper(printed, encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()) as complained:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = ended.code
    return code, printed.getvalue().decode(), complained.getvalue()


def marks(*arguments, code=0):
    """Run `marks`, which must end with this code; return what it said."""
    ended, said, complained = run("marks", *arguments)
    assert ended == code, said + complained
    return said + complained


def course(folder, **parts):
    """Write a course's file: m00 is due, a tenth is lost a day."""
    path = folder / "course.toml"
    path.write_text(DUE.format_map({"more": "", "late": "", "m00": "", "m04": "", "end": ""} | parts))
    return path


def standings(book, *options):
    """Return each student's standing as JSON, by id."""
    plain = json.loads(run("export", book, "--format", "json", *options)[1])
    return {each["student"]["id"]: each for each in plain["standings"]} | {"possible": plain["possible"]}


def canvas(book, tmp_path, *options):
    """Return what goes to Canvas: student -> cells, and the warnings."""
    out = tmp_path / "canvas.csv"
    _, _, warned = run(
        "export", book, "--format", "canvas", "--milestone", "m00", "--milestone", "m04", "--out", out, *options
    )
    table = list(csv.reader(out.read_text(encoding="utf-8").splitlines()))[2:]
    return {row[2]: row[5:] for row in table}, warned


def test_a_mark_is_adjusted_by_task_and_by_milestone(book, tmp_path):
    """A task's points change what was earned, a milestone's what counts; the reason reaches the student."""
    marks("adjust", book, "--student", BEN, "--task", "m00.1", "--points", "1.5", "--reason", "half of it was right")
    said = marks(
        "adjust", book, "--student", ANNA, "--milestone", "m04", "--points", "-3", "--reason", "talked about it"
    )
    marks(
        "adjust",
        book,
        "--student",
        CEM,
        "--milestone",
        "m04",
        "--points",
        "7",
        "--reason",
        "on paper",
        "--author",
        "Kim",
    )

    cells, warned = canvas(book, tmp_path)
    assert cells == {
        ANNA: ["10", "12"],
        BEN: [f"{10 - made_book.COURSE.milestone('m00').tasks[0].points + 1.5:g}", "15"],
        CEM: ["10", "7"],
    }
    assert "anna  m04  adjust -3: talked about it  (12 now)" in said and "Not everything" not in warned
    assert standings(book)[CEM]["adjustments"][0]["author"] == "Kim"
    shown = marks("history", book, "--student", CEM)
    assert "Kim  cem  m04  adjust 7: on paper" in shown

    marks("adjust", book, "--student", ANNA, "--milestone", "m04", "--take-back")
    again = marks("adjust", book, "--student", ANNA, "--milestone", "m04", "--take-back")
    assert canvas(book, tmp_path)[0][ANNA] == ["10", "15"] and "0 decisions kept" in again
    assert marks("history", book).count("anna  m04  adjust") == 2


def test_an_adjustment_made_before_a_newer_result_is_named(book):
    """It goes on counting, and the class's notes say that its reason may be gone."""
    marks("adjust", book, "--student", BEN, "--task", "m00.1", "--points", "1", "--reason", "x")
    with Gradebook.open(book) as opened:
        made_book.hand_in(opened, BEN, made_book.graded("m00"), at="2026-03-05T10:00:00+00:00", origin="later/ben")

    code, said, _ = run("export", book, "--format", "html")
    assert code == 0 and "Adjusted before a newer result, which may not need it any more: Ben Bit m00." in said


def test_who_is_excused_has_no_mark_and_a_smaller_total(book, tmp_path):
    """Canvas reads EX, Moodle no mark, and the milestone is in neither half of the total."""
    marks("excuse", book, "--student", BEN, "--milestone", "m04", "--reason", "ill")
    columns = tmp_path / "columns.csv"
    columns.write_text("milestone,column\nm04,A (1)\ntotal,All (2)\n")

    cells, warned = canvas(book, tmp_path, "--columns", columns)
    _, moodle, _ = run("export", book, "--format", "moodle", "--milestone", "m04")
    points = made_book.COURSE.milestone("m00").tasks[0].points
    assert cells[BEN] == ["EX", f"{10 - points:g}"] and cells[ANNA] == ["15", "25"]
    assert "Excused from some of it: ben." in warned and "ben" not in moodle


def test_a_task_is_excluded_for_everybody_and_milestones_are_weighed(book, tmp_path):
    """An excluded task counts neither as earned nor as possible; a weight is what full points add to the total."""
    points = made_book.COURSE.milestone("m00").tasks[0].points
    marks("exclude", book, "--task", "m00.1", "--reason", "the guide was wrong")
    marks("weigh", book, "--milestone", "m04", "--weight", "60")

    found = standings(book, "--milestone", "m00", "--milestone", "m04")
    assert found["possible"] == 10 - points + 60
    assert [found[who]["total"] for who in (ANNA, BEN, CEM)] == [70 - points, 70 - points, 10 - points]
    with Gradebook.open(book) as opened:  # as if a later syllabus had another m04
        decide(opened, "Kim", [Decision("exclude", "yes", "", "m04_attention", "m04.9")])
    assert standings(book, "--milestone", "m00", "--milestone", "m04") == found
    tasks = [each.id for each in made_book.COURSE.milestone("m00").tasks[1:]]
    table = tmp_path / "exclude.csv"
    table.write_text("task,reason\n" + "".join(f"{task},\n" for task in tasks))
    said = marks("exclude", book, "--from", table, code=2)
    assert "every task of m00_warmup is excluded" in said
    assert marks("history", book).count("exclude") == 2


def test_lateness_extensions_and_late_days(book, tmp_path):
    """Ben is three days late: an extension of two leaves one, which a late day pays for, and that is said."""
    points = 10 - made_book.COURSE.milestone("m00").tasks[0].points
    file = course(tmp_path)
    assert standings(book, "--course", file)[BEN]["penalties"] == {"m00_warmup": pytest.approx(0.3 * points)}

    marks(
        "extend", book, "--student", BEN, "--milestone", "m00", "--days", "2", "--reason", "a wedding", "--course", file
    )
    assert standings(book, "--course", file)[BEN]["penalties"] == {"m00_warmup": pytest.approx(0.1 * points)}

    table = tmp_path / "extensions.csv"
    table.write_text(
        "student,milestone,until,days,late_days,reason\nBEN,,,,1,as agreed\nzoe,m00,2026-04-01T00:00:00Z,,,new\n"
    )
    said = marks("extend", book, "--from", table, "--course", file)
    found = standings(book, "--course", file)[BEN]
    assert found["penalties"] == {} and found["lateness"] == {"m00_warmup": {"days": 1, "free": 1, "lost": 0.0}}
    assert "zoe is not in the gradebook yet" in said

    late = course(
        tmp_path,
        late="free_days = 1",
        end='[[extension]]\nstudent = "ben"\nmilestone = "m00"\nuntil = 2026-03-02T12:00:00Z',
    )
    marks("extend", book, "--student", BEN, "--milestone", "m00", "--take-back")
    marks("extend", book, "--student", BEN, "--late-days", "0", "--take-back")
    assert standings(book, "--course", late)[BEN]["lateness"]["m00_warmup"] == {
        "days": 2,
        "free": 1,
        "lost": pytest.approx(0.1 * points),
    }
    _, page, _ = run("export", book, "--format", "html", "--course", late)
    assert "It came 2 days late, 1 of them paid for by late days." in page


def test_late_days_are_not_spent_on_what_they_cannot_save():
    """Nothing earned, or far beyond the cap: the days stay for a later milestone."""
    from datetime import UTC, datetime, timedelta

    from grader.lateness import HandedIn, Late, charge

    due, late = datetime(2026, 3, 1, tzinfo=UTC), Late(0.2, 0.4)
    handed = [
        HandedIn("m00", 0.0, due + timedelta(days=1), due, late),
        HandedIn("m01", 10.0, due + timedelta(days=9), due + timedelta(days=1), late),
        HandedIn("m02", 10.0, due + timedelta(days=4), due + timedelta(days=2), late),
    ]
    found = charge(handed, 2)

    assert {name: (one.days, one.free, one.lost) for name, one in found.items()} == {
        "m00": (1, 0, 0.0),
        "m01": (8, 0, 4.0),
        "m02": (2, 2, 0.0),
    }


def test_what_is_missing_when_it_was_due_is_0_where_the_course_says_so(book, tmp_path):
    """Without the key there is no mark; with it 0, unless there is more time; a total is out of what is due."""
    soon = "due = 2999-01-01T00:00:00Z"
    none, past = course(tmp_path, m04=soon), "due = 2026-03-02T12:00:00Z"
    assert canvas(book, tmp_path, "--course", none)[0][CEM] == ["10", ""]
    found = standings(book, "--course", none)
    assert found["possible"] == 10 and found[ANNA]["total"] == 10 and found[CEM]["pending"] == ["m04_attention"]

    zero = course(tmp_path, more='missing = "zero"', m04=past)
    assert canvas(book, tmp_path, "--course", zero)[0][CEM] == ["10", "0"]
    marks(
        "extend", book, "--student", CEM, "--milestone", "m04", "--until", "2999-01-01T00:00:00+00:00", "--course", zero
    )
    assert canvas(book, tmp_path, "--course", zero)[0][CEM] == ["10", ""]
    assert canvas(book, tmp_path, "--course", zero, "--missing", "zero")[0][CEM] == ["10", ""]
    zero = course(tmp_path, more='missing = "zero"', m04=soon)
    code, page, _ = run("export", book, "--format", "html", "--course", zero)
    assert code == 0 and "Totals are out of what is due by 20" in page and "m04 counts once it is." in page


def test_a_mark_given_by_hand_is_not_called_0(book, tmp_path):
    """Who handed in nothing and got a mark all the same is in no list of zeros; who is excused has no mark to count."""
    zero, nothing = (
        course(tmp_path, more='missing = "zero"', m04="due = 2026-03-02T12:00:00Z"),
        "since nothing was handed",
    )
    assert nothing in run("export", book, "--format", "html", "--course", zero)[1]
    decide = ("--student", CEM, "--milestone", "m04", "--course", zero)
    marks("adjust", book, *decide, "--points", "3", "--reason", "shown in the lab")
    page = run("export", book, "--format", "html", "--course", zero)[1]
    assert nothing not in page and "What counts is 3." in page
    marks("excuse", book, *decide, "--reason", "ill")
    page = run("export", book, "--format", "html", "--course", zero)[1]
    assert "What counts is" not in page and "Excused. ill" in page


@pytest.mark.parametrize(
    ("keys", "mark"),
    [
        ("", 3.94),
        ("round_to = 0.5", 4.0),
        ('round_to = 0.5\nrounding = "down"', 3.5),
        ('round_to = 0.1\nrounding = "up"', 4.0),
        ("round_to = 2.5", 5.0),
    ],
)
def test_marks_are_rounded_as_the_course_says(book, tmp_path, keys, mark):
    """One rounding for every view: to a step, half a step up, or always up or down."""
    marks("adjust", book, "--student", ANNA, "--milestone", "m00", "--points", "3.935", "--reason", "x")
    file = course(tmp_path, more=keys)

    assert canvas(book, tmp_path, "--course", file)[0][ANNA][0] == f"{mark:g}"
    assert standings(book, "--course", file, "--milestone", "m00")[ANNA]["total"] == mark


def test_feedback_says_what_a_mark_is_rounded_to(book, tmp_path):
    """What was earned and what counts are both there, so that nobody wonders about half a point."""
    file = course(tmp_path, more="round_to = 0.5")
    with Gradebook.open(book) as opened:
        result = class_result(opened, made_book.COURSE, courses.load(file))
    ben = next(one for one in result.standings if one.student.id == BEN)

    said = feedback(ben, "m00_warmup")
    assert said.startswith("8 of 10 points. 2.4 taken off for lateness, which leaves 5.6. It came 3 days late.")
    assert "Rounded, that is 5.5." in said and ben.mark("m00_warmup") == 5.5


def test_marks_are_drafts_until_they_are_released(book, tmp_path):
    """In a course that says so nothing reaches an LMS before the release, by milestone or by student."""
    file = course(tmp_path, more="drafts = true")
    cells, warned = canvas(book, tmp_path, "--course", file)
    assert cells == {} and "m00 is a draft for everybody, so that no mark is written" in warned
    assert standings(book, "--course", file)[ANNA]["drafts"] == ["m00_warmup", "m04_attention"]

    marks("release", book, "--milestone", "m00")
    marks("release", book, "--student", ANNA, "--milestone", "m04")
    assert canvas(book, tmp_path, "--course", file)[0] == {
        ANNA: ["10", "15"],
        BEN: [f"{0.7 * (10 - made_book.COURSE.milestone('m00').tasks[0].points):g}", ""],
        CEM: ["10", ""],
    }
    marks("release", book, "--milestone", "m00", "--take-back")
    assert canvas(book, tmp_path, "--course", file)[0] == {ANNA: ["", "15"]}


def test_requests_are_taken_from_a_table_and_answered(book, tmp_path):
    """A request is open until its milestone is adjusted, excused, or the request closed with an answer."""
    table = tmp_path / "requests.csv"
    table.write_text("student;milestone;task;reason\nanna;m04;;why\nben;;m00.1;I think it is right\ncem;m00;;look\n")
    marks("request", book, "--from", table)
    assert "3 requests open" in marks("request", book) and "ben  m00.1  request open: I think it" in marks(
        "request", book
    )

    marks("adjust", book, "--student", BEN, "--task", "m00.1", "--points", "1", "--reason", "you are right")
    marks("request", book, "--student", CEM, "--milestone", "m00", "--close", "--reason", "it is as it was")
    left = marks("request", book)
    assert "1 request open" in left and "anna  m04  request open: why  (15 now)" in left
    assert standings(book)[CEM]["answers"] == {"m00_warmup": "it is as it was"}


def test_a_student_is_erased_with_all_that_is_theirs(book):
    """No table, no sentence about others and no byte of the file names them any more; everybody else is as before."""
    with Gradebook.open(book) as opened:
        run_ = opened.begin_run("g1", "{}", official=False, isolation="bubblewrap")
        opened.hand_in(
            run_,
            made_book.PEOPLE[CEM],
            origin="team/cem",
            handed_in="",
            problem="",
            notes=["Together with Ben Bit.", "Kept."],
        )
    marks("adjust", book, "--student", BEN, "--milestone", "m04", "--points", "1", "--reason", "secret-reason")
    before = standings(book)
    said = marks("erase", book, "--student", BEN)

    after = standings(book)
    assert "Erased from" in said and BEN not in after and after[ANNA] == before[ANNA]
    assert after[CEM]["notes"] == ["Kept."]
    raw = book.read_bytes()
    assert not any(word in raw for word in (b"ben@x.org", b"Ben Bit", b"subs/ben", b"secret-reason"))
    assert marks("history", book).splitlines()[-1].endswith("everybody  erase 1")
    assert "There is no student 'ben'" in marks("erase", book, "--student", BEN, code=2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["adjust"], "wants to know what: --student, --milestone"),
        (["adjust", "--student", "ana", "--milestone", "m00", "--points", "1", "--reason", "x"], "did you mean anna?"),
        (["adjust", "--student", "anna", "--milestone", "m00", "--points", "1"], "marks adjust wants --reason"),
        (["adjust", "--student", "anna", "--points", "1", "--reason", "x"], "--milestone or --task"),
        (
            ["adjust", "--student", "anna", "--milestone", "m00", "--points", "nan", "--reason", "x"],
            "'nan' is no points",
        ),
        (["adjust", "--student", "anna", "--task", "m00.9", "--points", "1", "--reason", "x"], "no task 'm00.9'"),
        (["extend", "--student", "anna", "--milestone", "m00"], "one of --until, --days and --late-days"),
        (["extend", "--student", "anna", "--until", "tomorrow"], "'tomorrow' is no date like"),
        (["weigh", "--milestone", "m00", "--weight", "0"], "above 0"),
        (["excuse", "--from", "{tmp}/two.csv"], "two.csv, row 3: There is no student 'zoe'"),
        (["excuse", "--from", "{tmp}/odd.csv"], "has a column 'nickname'"),
        (["excuse", "--from", "{tmp}/none.csv"], "has no column 'student'"),
        (["excuse", "--from", "{tmp}/two.csv", "--student", "anna"], "nothing else is said beside it"),
        (["history", "--student", "zoe"], "There is no student 'zoe'"),
    ],
)
def test_what_cannot_be_decided_is_one_sentence_and_changes_nothing(book, tmp_path, arguments, sentence):
    """Wrong input ends with exit code 2 and one sentence, and not one row of a table is taken."""
    (tmp_path / "two.csv").write_text("student,milestone,reason\nanna,m00,\nzoe,m00,\n")
    (tmp_path / "odd.csv").write_text("student,nickname\nanna,x\n")
    (tmp_path / "none.csv").write_text("milestone\nm00\n")
    action, *rest = [argument.format(tmp=tmp_path) for argument in arguments]

    code, _, complained = run("marks", action, book, *rest)

    assert code == 2 and sentence in complained and complained.count("\n") == 1, complained
    assert marks("history", book) == "Nothing was decided.\n"


def test_a_class_with_decisions_comes_back_from_json_as_it_was(book, tmp_path):
    """Extensions, adjustments, excuses, drafts, weights and rounding are in a class's JSON, and count there too."""
    for arguments in (
        ["adjust", "--student", ANNA, "--task", "m04.1", "--points", "+0.5", "--reason", "r", "--bonus"],
        ["excuse", "--student", BEN, "--milestone", "m04"],
        ["extend", "--student", BEN, "--milestone", "m00", "--days", "1"],
        ["release", "--milestone", "m00"],
        ["request", "--student", CEM, "--milestone", "m00", "--close", "--reason", "as it was"],
    ):
        marks(arguments[0], book, *arguments[1:])
    keys = 'missing = "zero"\ndrafts = true\nround_to = 0.25\nrounding = "down"'
    file = course(tmp_path, more=keys, m00="weight = 30", m04="due = 2999-01-01T00:00:00Z")
    with Gradebook.open(book) as opened:
        result = class_result(opened, made_book.COURSE, courses.load(file))

    again = standing_json.from_json(json.loads(standing_json.render(result)))

    assert again == result
    assert [again.total(one) for one in again.standings] == [result.total(one) for one in result.standings]
    assert again.standings[0].mark("m04_attention") == 15.5 and again.possible == 30


def test_each_assignment_has_its_own_time(book):
    """The table for nbgrader says when each milestone was handed in, and not when anything was handed in last."""
    with Gradebook.open(book) as opened:
        made_book.hand_in(opened, ANNA, made_book.graded("m03"), at="2026-03-20T10:00:00+00:00", origin="week3/anna")

    _, text, _ = run("export", book, "--format", "nbgrader")

    rows = {row["assignment"]: row for row in csv.DictReader(io.StringIO(text)) if row["student_id"] == ANNA}
    assert [rows[name]["timestamp"] for name in ("m00_warmup", "m03_embedding")] == [
        "2026-03-01 10:00:00",
        "2026-03-20 10:00:00",
    ]


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        ("adjust", "a lot", "has a value that is no number"),
        ("extend", "+9999999", "has a value that no course has"),
        ("extend", "soon", "no time"),
        ("extend", "2026-03-01T10:00:00", "a time without a time zone"),
        ("late_days", "-4", "has a value that no course has"),
        ("weight", "0", "has a value that no course has"),
    ],
)
def test_a_gradebook_with_a_decision_that_is_none_is_named(book, kind, value, sentence):
    """Whatever another program has written into the table is one sentence, and not a mark or a traceback."""
    with Gradebook.open(book) as opened:
        decide(opened, "Mallory", [Decision(kind, value, ANNA, "m00_warmup")])

    code, _, said = run("export", book, "--format", "canvas")

    assert code == 2 and sentence in said and said.count("\n") == 1
