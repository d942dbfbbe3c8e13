"""What is not clear is nobody's 0: whoever may be meant has no mark, and every export says so, until it is clear."""

from __future__ import annotations

import contextlib
import csv
import io
from pathlib import Path

import made_book
import made_downloads
import pytest
from handing_in import ATTENTION, WARMUP, folder, zipped

from grader import cli
from grader.classroom.book import doubts
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.gradebook import Gradebook
from grader.classroom.book.standing import Student
from grader.classroom.intake import collecting, identity
from grader.classroom.intake.reading import Reading
from grader.classroom.intake.roster import Keys, Roster, RosterError
from grader.classroom.intake.who_is_who import load

KIMS = (Student("k1", "Kim Lee", "kim1@x.org"), Student("k2", "Kim Lee", "kim2@x.org"))
ZOE, CEM = Student("z3", "Zoe Zed", "zoe@x.org"), Student("c4", "Cem Cue", "cem@x.org")
CLASS = Roster((*KIMS, ZOE, CEM))
ZERO = """
[course]
name = "Term"
milestones = ["m00", "m04"]
missing = "zero"
[[milestone]]
id = "m00"
due = 2026-03-01T12:00:00Z
[[milestone]]
id = "m04"
due = 2026-03-02T12:00:00Z
"""
NO_MARK = {"m00": None, "m04": None}


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """Have submissions read here, which is quicker than a process of its own for each test."""
    monkeypatch.setattr(collecting, "Reader", Reading)


class Term:
    """A gradebook, and the course in which what is missing is 0."""

    def __init__(self, path):
        self.path, self.book, self.course = path, path / "book.sqlite", path / "course.toml"
        self.course.write_text(ZERO)

    def week(self, *sources, roster=CLASS, **options):
        """Take in and grade what lies somewhere."""
        with Gradebook.open(self.book, create=True) as book:
            return made_book.take_in(book, *sources, roster=roster, **options)

    def export(self, form, *options):
        """Return an export's text and what was warned of."""
        printed = io.BytesIO()
        said = io.TextIOWrapper(printed, encoding="utf-8", write_through=True)
        arguments = ["export", str(self.book), "--format", form, "--course", str(self.course), *map(str, options)]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()) as warned:
            assert cli.main(arguments) == 0
        return printed.getvalue().decode(), warned.getvalue()

    def marks(self):
        """Return what goes to Canvas: student -> milestone -> mark, None for an empty cell or no row."""
        text, self.warned = self.export("canvas")
        header, _, *rows = csv.reader(io.StringIO(text))
        found = {row[2]: [float(cell) if cell else None for cell in row[5:]] for row in rows}
        names = [title[:3] for title in header[5:]]
        return {
            student.id: dict(zip(names, found.get(student.id, [None] * 2), strict=True)) for student in CLASS.students
        }

    def why(self, student):
        """Return why a student has no mark: milestone -> sentence."""
        with Gradebook.open(self.book) as book:
            found = class_result(book, made_book.COURSE).standings
        return {name[:3]: why for one in found for name, why in one.doubts.items() if one.student.id == student}


@pytest.fixture
def term(tmp_path):
    """A term that has not begun."""
    return Term(tmp_path)


def moodle(**handed):
    """Return a download of Moodle's: name and number -> m00's text."""
    folders = {name: "_".join(name.replace("_", " ").rsplit(" ", 1)) for name in handed}
    return {f"{folders[name]}_assignsubmission_file/{WARMUP}": text for name, text in handed.items()}


def kims(one="one", two="two"):
    """Return a download in which two of one name have handed in."""
    return {
        f"Kim Lee_7_assignsubmission_file/{WARMUP}": one,
        f"Kim Lee_8_assignsubmission_file/{WARMUP}": two,
        f"Zoe Zed_9_assignsubmission_file/{WARMUP}": "zoe",
    }


def test_two_of_one_name_have_no_mark_and_no_0(term, tmp_path):
    """Neither is missing, both are named with what to do, no format writes a mark of either, and each one warns."""
    collected = term.week(folder(tmp_path / "week1", kims()))

    assert collected.missing == [CEM] and len(collected.unclear) == 2
    assert all("may be Kim Lee (k1) and Kim Lee (k2); name it by" in said for said in collected.unclear)
    assert term.marks() == {
        "k1": NO_MARK | {"m04": 0},
        "k2": NO_MARK | {"m04": 0},
        "z3": {"m00": 10, "m04": 0},
        "c4": {"m00": 0, "m04": 0},
    }
    warning = f"m00 has no mark for k1, k2: {doubts.SEVERAL}"
    for form, *options in (
        ["canvas"],
        ["moodle"],
        ["nbgrader"],
        ["tasks"],
        ["html"],
        ["json"],
        ["feedback", "--out", tmp_path / "f"],
    ):
        assert warning in term.export(form, *options)[1], form
    assert (
        doubts.SEVERAL in (tmp_path / "f" / "k1.html").read_text()
        and "0 of 15 points" in (tmp_path / "f" / "k1.md").read_text()
    )
    assert "Nothing was handed in by 1 of 4" in " ".join(term.export("html")[0].split())
    assert "m00 is 0 for c4, since nothing was handed in when it was due." in term.warned
    assert "k1" not in [
        row["student_id"]
        for row in csv.DictReader(io.StringIO(term.export("nbgrader")[0]))
        if row["assignment"] == "m00_warmup" and row["score"]
    ]


@pytest.mark.parametrize("way", ["ids", "a table", "a worksheet", "one of them is nobody's"])
def test_a_doubt_ends_when_it_is_clear_whose_it_is(term, tmp_path, way):
    """By folders named by id, a table of submissions or Moodle's worksheet each gets their own mark."""
    week = folder(tmp_path / "week1", kims())
    term.week(week)
    table = tmp_path / "who.csv"
    match way:
        case "ids":
            term.week(folder(tmp_path / "again", {f"k1/{WARMUP}": "one", f"k2/{WARMUP}": "two"}))
        case "a table":
            table.write_text(
                "submission,student\nKim Lee_7_assignsubmission_file_,kim1@x.org\n"
                "week1/Kim Lee_8_assignsubmission_file_,k2\n"
            )
            term.week(week, whose=load(table, CLASS))
        case "a worksheet":
            table.write_text(
                "Identifier,Full name,Email address,Grade\nParticipant 7,Kim Lee,kim1@x.org,\n"
                "Participant 8,Kim Lee,kim2@x.org,\n"
            )
            term.week(week, whose=load(table, CLASS))
        case _:
            table.write_text(
                "submission;student\nKim Lee_7_assignsubmission_file_;k1\nKim Lee_8_assignsubmission_file_;\n"
            )
            term.week(week, whose=load(table, CLASS))
            assert term.marks()["k2"] == {"m00": 0, "m04": 0} and term.why("k2") == {}
            term.week(folder(tmp_path / "late", {f"k2/{WARMUP}": "two"}))

    marks = term.marks()
    assert [marks[who]["m00"] for who in ("k1", "k2", "z3", "c4")] == [10, 10, 10, 0]
    assert "no mark" not in term.warned and term.why("k1") == term.why("k2") == {}


def test_one_of_two_who_is_found_leaves_the_other_in_doubt_or_not(term, tmp_path):
    """Of one hand-in the owner's mark ends the doubt; of two that are alike to the byte it takes both owners."""
    only = {name: text for name, text in kims().items() if "_8_" not in name}
    term.week(folder(tmp_path / "week1", only))
    assert term.marks()["k2"]["m00"] is None
    term.week(folder(tmp_path / "again", {f"k1/{WARMUP}": "one"}))
    assert [term.marks()[who]["m00"] for who in ("k1", "k2")] == [10, 0]

    other = Term(folder(tmp_path / "other", {}))
    other.week(folder(tmp_path / "alike", kims("same", "same")))
    other.week(folder(tmp_path / "first", {f"k1/{WARMUP}": "same"}))
    assert [other.marks()[who]["m00"] for who in ("k1", "k2")] == [10, None]
    other.week(folder(tmp_path / "alike", kims("same", "same")))  # the same download, once more
    other.week(folder(tmp_path / "second", {f"k2/{WARMUP}": "same"}))
    assert other.marks()["k2"]["m00"] == 10


def test_another_weeks_work_in_the_same_place_ends_no_doubt(term, tmp_path):
    """Every week's download is called the same: that something else lies there now says nothing of what lay there."""
    week = folder(tmp_path / "submissions", kims())
    term.week(week)
    for name in kims():
        (week / name).unlink()
        (week / name).parent.rmdir()
    term.week(folder(week, {f"z3/{ATTENTION}": "zoe", f"z3/{WARMUP}": "zoe"}))

    assert term.marks()["k1"] == {"m00": None, "m04": 0}


def test_a_mark_that_is_there_stays_and_a_stubs_does_not(term, tmp_path):
    """Who has handed in before keeps that mark, with a warning; the 0 of an untouched stub is none while it is open."""
    stub = made_book.stubs_of(made_book.COURSE)["m00_warmup"]
    term.week(folder(tmp_path / "ids", {f"k1/{WARMUP}": "first", f"k2/{WARMUP}": stub}))
    term.week(folder(tmp_path / "week1", kims()))

    marks = term.marks()
    assert marks["k1"]["m00"] == 10 and marks["k2"]["m00"] is None
    assert f"m00 counts as it did before for k1, though there is more: {doubts.SEVERAL}" in term.warned


TEAMS = Roster(CLASS.students, {"k1": Keys(groups=("Team 1",)), "z3": Keys(groups=("Team 1",))})
NUMBERED = Roster(CLASS.students, {"z3": Keys(canvas="12345"), "c4": Keys(canvas="777")})
TEAM = f"Team 1_9_assignsubmission_file/{WARMUP}"
DEFAULT = {f"Default group_assignsubmission_file/{WARMUP}": "x"}
ZOES = f"z3/{WARMUP}"
TYPED = "Cem Cue_4_assignsubmission_onlinetext/onlinetext.html"
ALL = {"k1", "k2", "z3", "c4"}
DOUBTFUL = {  # what came in, with which roster, and who has no mark for m00
    "a default group": (moodle(Zoe_Zed_9="zoe") | DEFAULT, CLASS, ALL - {"z3"}),
    "a default group beside groups": ({TEAM: "t"} | DEFAULT, TEAMS, {"k2", "c4"}),
    "a group's name beside a student's": ({TEAM: "t"} | moodle(Cem_Cue_4="c"), TEAMS, {"k1", "z3"}),
    "a group that nobody is in": ({f"Team 1/{WARMUP}": "t", f"Team 9/{WARMUP}": "x"}, TEAMS, {"k2", "c4"}),
    "a name that is read in two ways": (
        {f"zoezed_12345_100_{WARMUP}": "zoe", "zoezed_12345_777_900_work.zip": zipped({WARMUP: "x"})}, NUMBERED, {"c4"}
    ),
    "a loose module": ({ZOES: "zoe", WARMUP: "x"}, CLASS, ALL - {"z3"}),
    "anonymous work": (made_downloads.moodle_without_names(), CLASS, ALL),
    "no name of the roster": ({f"team{number}/{WARMUP}": f"{number}" for number in range(3)}, CLASS, ALL),
    "a file of nearly the name": ({ZOES: "z", "c4/m00_warmup (1).py": "c", f"c4/{ATTENTION}": "c"}, CLASS, {"c4"}),
    "an archive beside modules": (
        {ZOES: "z", f"c4/{ATTENTION}": "c", "c4/rest.zip": zipped({WARMUP: "c"})}, CLASS, {"c4"}
    ),
    "an archive that cannot be read": ({ZOES: "z", "c4.zip": b"PK\3\4 no more"}, CLASS, {"c4"}),
    "two of one student's": ({ZOES: "z", f"c4/{WARMUP}": "1", f"Cem Cue/{WARMUP}": "2"}, CLASS, {"c4"}),
    "a text typed into Moodle": (moodle(Zoe_Zed_9="z") | {TYPED: "def"}, CLASS, {"c4"}),
    "a text typed into Canvas": ({f"zoezed_1_100_{WARMUP}": "z", "cuecem_4_text.html": "def"}, CLASS, {"c4"}),
    "a name that is nearly somebody's": (moodle(Zoe_Zed_9="z") | moodle(Cem_C_Cue_4="c"), CLASS, {"c4"}),
}  # fmt: skip


@pytest.mark.parametrize(("files", "roster", "without"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_no_doubt_is_a_0(term, tmp_path, files, roster, without):
    """Whatever is not clear, whoever it may be from has no mark, the others have theirs, and the export warns."""
    collected = term.week(folder(tmp_path / "week1", files), roster=roster)

    marks = term.marks()
    assert {who for who, found in marks.items() if found["m00"] is None} == without
    assert "m00 has no mark for" in term.warned and "Nothing was handed in by" not in term.warned
    zeroed = list(csv.DictReader(io.StringIO(term.export("moodle", "--missing", "zero", "--milestone", "m00")[0])))
    assert not {row["ID number"] for row in zeroed} & without
    said = [*collected.unclear, *(each.problem for each in collected.handed_in if each.problem)]
    said += [trouble for each in collected.handed_in for trouble in each.troubles]  # each of these ends with 1
    said += [note for each in collected.handed_in for note in each.notes if "was not opened" in note]
    assert said or any("2 submissions are anonymous" in note for note in collected.notes)


def test_a_0_is_said_with_who_may_have_handed_it_in(term, tmp_path):
    """Somebody on no roster who is called like nobody leaves the others their 0, and the export says to look."""
    term.week(folder(tmp_path / "week1", {f"z3/{WARMUP}": "z", f"998877/{WARMUP}": "?"}))

    assert term.marks()["c4"] == {"m00": 0, "m04": 0}
    assert "m00 is 0 for k1, k2, c4, since nothing was handed in when it was due. On no roster" in term.warned
    assert (
        "and with it: 998877; look whether that is one of theirs." in term.warned
        and "m04 is 0 for k1, k2, z3, c4" in term.warned
    )


def test_a_source_that_could_not_be_read_is_in_doubt_until_it_was(term, tmp_path, monkeypatch):
    """A broken archive of a class ends with a sentence, gives nobody a 0, and is forgotten milestone by milestone."""
    week1 = folder(tmp_path / "week1", {f"z3/{WARMUP}": "z"})
    (tmp_path / "week4.zip").write_bytes(b"PK\3\4 no more")
    collected = term.week(week1, exports=[tmp_path / "week4.zip"])
    assert any("week4.zip" in said for said in collected.unclear)
    assert term.marks() == {"k1": NO_MARK, "k2": NO_MARK, "z3": {"m00": 10, "m04": None}, "c4": NO_MARK}

    (tmp_path / "week4.zip").write_bytes(zipped({f"z3/{ATTENTION}": "z", f"z3/{WARMUP}": "z", f"c4/{WARMUP}": "c"}))
    monkeypatch.chdir(tmp_path.parent)  # by another path
    term.week(week1, exports=[Path(tmp_path.name) / "week4.zip"])
    assert term.marks()["k1"] == {"m00": 0, "m04": 0} and term.marks()["c4"] == {"m00": 10, "m04": 0}


def test_what_was_not_asked_for_is_open_until_it_is_looked_at(term, tmp_path):
    """A run for one student says nothing of the others; the next one for all gives what is missing its 0."""
    week = folder(tmp_path / "week1", {f"z3/{WARMUP}": "z", f"z3/{ATTENTION}": "z", f"c4/{WARMUP}": "c"})
    term.week(week, students={"z3"})
    assert term.marks()["c4"] == {"m00": None, "m04": 0}
    term.week(week)
    assert term.marks()["c4"] == {"m00": 10, "m04": 0}
    term.week(week, students={"z3"})
    assert term.marks()["c4"] == {"m00": 10, "m04": 0} and "no mark" not in term.warned


def test_who_is_erased_is_in_no_doubt_either(term, tmp_path):
    """Of what may be one's or another's nothing names the one who was erased, and the other goes on having no mark."""
    term.week(folder(tmp_path / "week1", kims()))
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.main(["marks", "erase", str(term.book), "--student", "k1"]) == 0

    with Gradebook.open(term.book) as book:
        rows = book.rows("SELECT DISTINCT student, origin FROM doubt")
    assert {student for student, _ in rows} == {"k2"} and not any("Kim" in origin for _, origin in rows)
    assert term.why("k2") == {"m00": doubts.SEVERAL}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("submission,student\nx,nobody\n", "names nobody of the roster in line 2: 'nobody'."),
        ("submission,student\nx,Kim Lee\n", "line 2: Kim Lee may be Kim Lee (k1) and Kim Lee (k2)"),
        ("a,b\n", "needs a first line that names its columns: submission,student."),
        ("", "needs a first line"),
    ],
)
def test_a_file_that_does_not_say_who_is_who_is_one_sentence(tmp_path, text, said):
    """A row that names nobody, or two, and a table without its columns are refused with what to do."""
    (tmp_path / "who.csv").write_text(text)

    with pytest.raises(RosterError) as refused:
        load(tmp_path / "who.csv", CLASS)

    assert said in str(refused.value)


def test_no_submission_is_compared_with_every_other(term, tmp_path, monkeypatch):
    """A download of thousands is taken in in a time that grows as it does, strangers and those left out as well."""

    def compared(one, other):
        raise AssertionError("two submissions were compared")

    monkeypatch.setattr(identity.Claimed, "__eq__", compared)
    files = {f"{name}/{WARMUP}": name for name in ("z3", "Cem C Cue", "nobody", "Zoe Q Zed")}

    assert len(term.week(folder(tmp_path / "week1", files)).handed_in) == 4
    assert len(term.week(tmp_path / "week1", students={"z3"}).handed_in) == 1
