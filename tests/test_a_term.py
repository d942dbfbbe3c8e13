"""A whole term as an instructor plays it: four assignments one at a time, and in the end what was computed by hand."""

from __future__ import annotations

import csv
import io

import lms_readers
import pytest
from handing_in import zipped
from small_course import HALF_DONE, SOLUTIONS, SUITE_M00, WHOLE_HALF, SmallCourse

M00, M01, M02, M03 = IDS = ("m00_warmup", "m01_tokenizer", "m02_chant", "m03_thrice")
ROOM = """
title = "{title}"
summary = "One function."
needs = {needs}

[[task]]
id = "{number}.1"
title = "{title}"
points = {points}
implements = ["{name}"]
hints = ["a", "b", "c"]
"""
SUITE = '''
import pytest

from grader.judge import expect_equal


@pytest.mark.task("{number}.1")
def test_{name}(student):
    """It does what its name says."""
    expect_equal(student.{name}({given!r}), {expected!r})
'''
RIGHT = {
    **SOLUTIONS,
    M02: "from .m01_tokenizer import stutter\n\n\ndef chant(word):\n    return stutter(word) + '!'\n",
    M03: "def thrice(x):\n    return 3 * x\n",
}
WRONG = {
    M01: SOLUTIONS[M01].replace("twice(word)", "word + word + word"),
    M03: "def thrice(x):\n    return 4 * x\n",
}
LENIENT = SUITE_M00.replace("student.half(42), 21.0", "float(student.half(42)), 21.0")
TERM = """
[course]
name = "Term"
milestones = ["m00", "m01", "m02", "m03"]
missing = "zero"
round_to = 0.5
[late]
per_day = 0.25
[[milestone]]
id = "m00"
due = 2020-10-05T23:59:00Z
[[milestone]]
id = "m01"
due = 2020-10-12T23:59:00Z
[[milestone]]
id = "m02"
due = 2020-10-19T23:59:00Z
[[milestone]]
id = "m03"
due = 2020-10-26T23:59:00Z
weight = 6
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,m00 (1),m01 (2),m02 (3),m03 (4),Everything (5),Final Score
    Points Possible,,,,,6,4,5,3,21,(read only)
"Lovelace, Ada",101,s1,ada,A,,,,,,
"O'Brien, Brian",102,s2,brian,A,,,,,,
"Demir, Cem",103,s3,cem,A,,,,,,
"Dorn, Dora",104,s4,dora,A,,,,,,
"""
MOODLE = """First name,Last name,ID number,Email address,Groups
Ada,Lovelace,s1,ada@x.org,Team 1
Brian,O'Brien,s2,brian@x.org,Team 1
Cem,Demir,s3,cem@x.org,Team 2
Dora,Dorn,s4,dora@x.org,Team 2
"""
COLUMNS = "milestone,column\nm00,m00 (1)\nm01,m01 (2)\nm02,m02 (3)\nm03,m03 (4)\ntotal,Everything (5)\n"
WHO = {"ada": "lovelaceada_101", "brian": "obrienbrian_102", "cem": "demircem_103", "dora": "dorndora_104"}


class Term:
    """A course of four milestones, its file, and the class's gradebook."""

    def __init__(self, folder, roster):
        self.course, self.folder = SmallCourse(folder), folder
        suites = folder / "grader" / "suites"
        for name, needs, points, given, expected in (
            (M02, [M01], 5, "ab", "abab!"),
            (M03, [], 3, 4, 12),
        ):
            number, _, called = name.partition("_")
            room = suites / name
            room.mkdir()
            (room / "__init__.py").write_text("")
            facts = {"title": called.title(), "number": number, "name": called, "needs": needs, "points": points}
            (room / "milestone.toml").write_text(ROOM.format_map(facts).replace("'", '"'))
            self.course.suite(name, SUITE.format(number=number, name=called, given=given, expected=expected))
        for name, text in {"roster.csv": roster, "term.toml": TERM, "columns.csv": COLUMNS}.items():
            (folder / name).write_text(text, encoding="utf-8")

    def run(self, *arguments, code=0):
        """Run a command and return what it said."""
        done = self.course.run("grader", *arguments, "--course", self.folder / "term.toml")
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def grade(self, *arguments, code=0):
        """Grade what is named."""
        roster = () if "--held" in arguments else ("--roster", self.folder / "roster.csv")
        return self.run("classroom", *arguments, "--gradebook", self.course.book, *roster, code=code)

    def download(self, name, files, code=0):
        """Grade a platform's download."""
        path = self.folder / f"{name}.zip"
        path.write_bytes(zipped(files))
        return self.grade("--export", path, code=code)

    def decide(self, action, *arguments):
        """Decide on marks."""
        return self.run("marks", action, self.course.book, *arguments, "--author", "Kim")

    def export(self, form, *arguments):
        """Return an export's text."""
        out = self.folder / f"{form}.csv"
        columns = ("--columns", self.folder / "columns.csv")
        self.warned = self.run("export", self.course.book, "--format", form, "--out", out, *columns, *arguments)
        return out.read_text(encoding="utf-8")


@pytest.fixture
def canvas(tmp_path):
    """A term on Canvas, whose gradebook is the roster."""
    return Term(tmp_path, CANVAS)


def uploads(week, **students):
    """Return a download of Canvas's: each student's file and its name, with numbers as Canvas gives them."""
    return {
        f"{WHO[who]}_{1000 * week + number}_{name}": text for number, (who, (name, text)) in enumerate(students.items())
    }


def test_a_term_on_canvas_ends_in_the_marks_computed_by_hand(canvas):
    """Resubmissions, an extension, an adjustment, a late one and a mended suite; each mark is as the table says.

    | | m00 | m01 | m02 | m03 (a full one is 6 of the total) | total |
    |---|---|---|---|---|---|
    | Ada | 6 | 4 | 5 | 3 | 21 |
    | Brian | 2, then 6: the suite was mended | 4 | 5 | 0, then 3 less a quarter (one day late, of two) | 20 |
    | Cem | 2, then 6: again | 0, then 4: again | 0: nothing | 0 and 1.5 for a talk | 13 |
    | Dora | 6, after her m01 | 4, once there is an m00 | none: more time | 3 | 16 of 16 |
    """
    first = uploads(
        1, ada=(f"{M00}.py", RIGHT[M00]), brian=(f"{M00}.py", WHOLE_HALF[M00]), cem=(f"{M00}.py", HALF_DONE[M00])
    )
    canvas.download("week0", first)
    second = uploads(
        2, ada=(f"{M01}.py", RIGHT[M01]), brian=(f"{M01}.py", RIGHT[M01]), cem=(f"{M01}.py", WRONG[M01]),
        dora=(f"{M01}.py", RIGHT[M01]),
    )  # fmt: skip
    said = canvas.download("week1", second, code=1)
    assert "m01 is made of m00, which was never handed in" in said
    assert "m01 stands on m00 from an earlier hand-in of" in said

    again = uploads(3, cem=(f"{M00}-1.py", RIGHT[M00]), dora=(f"{M00}.py", RIGHT[M00]))
    canvas.download("week0-again", first | again)
    canvas.download("week1-again", second | uploads(4, cem=(f"{M01}-1.py", RIGHT[M01])))
    canvas.download("week2", uploads(5, ada=(f"{M02}.py", RIGHT[M02]), brian=(f"{M02}.py", RIGHT[M02])))
    third = {"ada": RIGHT, "brian": WRONG, "cem": WRONG, "dora": RIGHT}
    canvas.download("week3", uploads(6, **{who: (f"{M03}.py", modules[M03]) for who, modules in third.items()}))
    record = (
        "submission_1:\n  :submitters:\n  - :name: Brian O'Brien\n    :sid: s2\n  :created_at: 2020-10-28 10:00:00 Z\n"
    )
    canvas.download("late", {"submission_metadata.yml": record, f"submission_1/{M03}.py": RIGHT[M03]})
    canvas.decide("extend", "--student", "s2", "--milestone", "m03", "--days", "1", "--reason", "ill")
    canvas.decide("extend", "--student", "s4", "--milestone", "m02", "--until", "2999-01-01T00:00:00+00:00")
    canvas.decide(
        "adjust", "--student", "s3", "--milestone", "m03", "--points", "+1.5", "--reason", "explained it well"
    )
    before = canvas.export("canvas", "--template", canvas.folder / "roster.csv")
    canvas.course.suite(M00, LENIENT)
    said = canvas.grade("--held")
    assert "O'Brien, Brian (s2) m00 2 → 6 / 6" in said or "Brian O'Brien (s2) m00 2 → 6 / 6" in said

    # Week 0's first download once more, for the mended suite's sake: what was handed in since stays.
    canvas.download("week0", first)

    after = canvas.export("canvas", "--template", canvas.folder / "roster.csv")
    assert "Everything (5) is out of 21, and for whom it is out of less" in canvas.warned
    assert "an LMS does not know: s4 of 16." in canvas.warned
    assert [row[5:] for row in csv.reader(io.StringIO(after))] == [
        ["m00 (1)", "m01 (2)", "m02 (3)", "m03 (4)", "Everything (5)"],
        ["6", "4", "5", "3", "21"],
        ["6", "4", "5", "3", "21"],
        ["6", "4", "5", "2.5", "20"],
        ["6", "4", "0", "1.5", "13"],
        ["6", "4", "", "3", "16"],
    ]
    assert [row[5] for row in csv.reader(io.StringIO(before))] == ["m00 (1)", "6", "6", "2", "6", "6"]


def test_a_term_on_moodle_with_teams_ends_in_the_marks_computed_by_hand(tmp_path):
    """Each member has the team's mark; what is one member's own, an extension and an adjustment, stays that one's.

    | | m00 | m01 | m02 | m03 (a full one is 6 of the total) | total |
    |---|---|---|---|---|---|
    | Ada, Brian | 2, then 6: the suite was mended | 4 | 5 | 3 | 21 |
    | Cem | 2, then 6: again | 0, then 4: again | none: more time | 2: took no part | 14 of 16 |
    | Dora | as Cem | as Cem | 0: nothing | 3 | 16 |
    """
    term = Term(tmp_path, MOODLE)

    def team(week, **modules):
        numbers = {"one": f"Team 1_{week}1", "two": f"Team 2_{week}2"}
        return {f"{numbers[who]}_assignsubmission_file/{name}.py": text for who, (name, text) in modules.items()}

    term.download("week0", team(1, one=(M00, WHOLE_HALF[M00]), two=(M00, HALF_DONE[M00])))
    term.download("week1", team(2, one=(M01, RIGHT[M01]), two=(M01, WRONG[M01])))
    term.download("week0-again", team(1, one=(M00, WHOLE_HALF[M00]), two=(M00, RIGHT[M00])))
    term.download("week1-again", team(2, one=(M01, RIGHT[M01]), two=(M01, RIGHT[M01])))
    term.download("week2", team(3, one=(M02, RIGHT[M02])))
    term.download("week3", team(4, one=(M03, RIGHT[M03]), two=(M03, RIGHT[M03])))
    term.decide("extend", "--student", "s3", "--milestone", "m02", "--until", "2999-01-01T00:00:00+00:00")
    term.decide("adjust", "--student", "s3", "--milestone", "m03", "--points", "-1", "--reason", "took no part")
    term.course.suite(M00, LENIENT)
    term.grade("--held")

    text = term.export("moodle")
    marks = lms_readers.moodle(text, "ID number", {f"s{number}": f"s{number}" for number in range(1, 5)})
    everything = {"s1": [6, 4, 5, 3], "s2": [6, 4, 5, 3], "s3": [6, 4, None, 2], "s4": [6, 4, 0, 3]}
    assert {who: list(found.values()) for who, found in marks.items()} == everything
    totals = {row["ID number"]: row["Everything (5)"] for row in csv.DictReader(io.StringIO(text))}
    assert totals == {"s1": "21", "s2": "21", "s3": "14", "s4": "16"}
