"""A class's marks: each export is an approved file, and is read back by the rules of the importer it is for.

The files in tests/golden_exports/ are compared exactly; SCRATCHWORK_UPDATE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import unicodedata
from pathlib import Path

import lms_readers
import made_class
import pytest
from approved import approved

from grader.classroom.book import standing_json
from grader.classroom.book.standing import Standing
from grader.reports.marks import canvas, moodle, moodle_worksheet, nbgrader_csv, sheets, tasks_csv
from grader.reports.pages import class_report

GOLDEN = Path(__file__).parent / "golden_exports"
CLASS = made_class.hostile_class
TITLES = {"m00": "Homework 0 (100)", "m04_attention": "Homework 4 (104)"}
PEOPLE = {key: s.student.id for s in CLASS().standings for key in (s.student.id, s.student.email)}

CANVAS_TEMPLATE = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Old quiz (99),m00: Warm-up (100),m04 Attention (104),Final Score\n"
    ",,,,,,Manual Posting,,\n"
    "    Points Possible,,,,,5,10,20,(read only)\n"
    "\"=cmd|'/c calc'!A0\",9001,s001,s001@uni.example,1,5,1,2,88\n"
    "Grace,9002,s002,,1,4,,,77\n"
    "Nora,9004,s004,,1,4,3,3,77\n"
    "Zoe,9006,,s006@uni.example,1,4,1,9,77\n"
    '"Student, Test",9999,,,1,,,,\n'
)
WORKSHEET = (
    "\ufeffIdentifier,Full name,Email address,Status,Grade,Maximum grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    "Participant 501,\"=cmd|'/c calc'!A0\",s001@uni.example,Submitted,,15.00,Yes,"
    '"Monday, 16 March 2026, 1:30 AM",-,\n'
    "Participant 502,Grace,s002@uni.example,Submitted,,15.00,Yes,-,-,<p>earlier</p>\n"
    "Participant 504,Nora,s004@uni.example,No submission,,15.00,Yes,-,-,\n"
    'Participant 507,"Sum, +1",s007@uni.example,Submitted,14.00,10.00,Yes,-,"Monday, 2 March 2026",kept\n'
)


def sheet(text: str) -> sheets.Sheet:
    """Return a template as the command reads it from a file."""
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    return sheets.Sheet(rows[0], rows[1:], mark=text.startswith("\ufeff"))


EXPORTS = {
    "canvas.csv": lambda: canvas.render(CLASS()),
    "canvas_named.csv": lambda: canvas.render(CLASS(), titles=TITLES, missing="zero"),
    "canvas_filled.csv": lambda: canvas.render(CLASS(), template=sheet(CANVAS_TEMPLATE)),
    "moodle.csv": lambda: moodle.render(CLASS()),
    "moodle_worksheet.csv": lambda: moodle_worksheet.render(CLASS(), sheet(WORKSHEET), ["m04_attention"]),
    "nbgrader.csv": lambda: nbgrader_csv.render(CLASS()),
    "tasks.csv": lambda: tasks_csv.render(CLASS()),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_the_file_that_was_approved(name):
    """Every table of a class with hostile names is, byte for byte and warning for warning, as it was approved."""
    export = EXPORTS[name]()

    assert export.text == approved(GOLDEN / name, export.text)
    warnings = "".join(f"{warning}\n" for warning in export.warnings)
    assert warnings == approved(GOLDEN / name.replace(".csv", ".warnings.txt"), warnings)


@pytest.mark.parametrize("name", EXPORTS)
def test_no_cell_is_a_formula_or_hides_anything(name):
    """No cell of any table would be run by a spreadsheet, holds a control character, or breaks its line."""
    text = EXPORTS[name]().text

    assert lms_readers.spreadsheet_formulas(text) == []
    assert {c for c in text.removeprefix("\ufeff") if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")} == {"\n"}
    assert text.count("\n") == len(list(csv.reader(io.StringIO(text))))


def test_the_formula_finder_finds_formulas():
    """The reader that looks for formulas reports each way of beginning one, and no number."""
    assert lms_readers.spreadsheet_formulas('=1,"  @x","-3",-,"+SUM(A1)",\'=1\n') == ["=1", "  @x", "+SUM(A1)"]


# ── Canvas ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_canvas_finds_every_student_by_id_and_no_other_row():
    """Canvas's importer matches everybody by SIS id; a student called "Points Possible" does not become that row."""
    imported = lms_readers.canvas(canvas.render(CLASS(), titles=TITLES).text, {100: "a", 104: "b"}, PEOPLE)

    assert imported.unknown_students == [] and imported.new_assignments == []
    assert imported.points == {"Homework 0 (100)": "10", "Homework 4 (104)": "15"}
    assert imported.marks["s001"] == {"Homework 0 (100)": "10", "Homework 4 (104)": "2.25"}
    assert imported.marks["s008"] == {"Homework 0 (100)": "10", "Homework 4 (104)": "3"}
    assert "s004" not in imported.marks


def test_canvas_is_not_given_new_assignments_without_a_warning():
    """Columns without an assignment's id would become new assignments, and the export says so."""
    export = canvas.render(CLASS())

    assert lms_readers.canvas(export.text, {}, PEOPLE).new_assignments == ["m00 Warm-up", "m04 Attention"]
    assert any("new assignment" in warning and "m04 Attention" in warning for warning in export.warnings)


def test_a_filled_template_changes_our_columns_only():
    """Of an exported gradebook our columns come back filled; other assignments, totals and strangers stay out."""
    export = canvas.render(CLASS(), template=sheet(CANVAS_TEMPLATE))
    imported = lms_readers.canvas(export.text, {99: "q", 100: "a", 104: "b"}, PEOPLE | {"9006": "s006"})

    assert list(imported.points) == ["m00: Warm-up (100)", "m04 Attention (104)"]
    assert imported.marks == {
        "s001": {"m00: Warm-up (100)": "10", "m04 Attention (104)": "2.25"},
        "s002": {"m00: Warm-up (100)": "6", "m04 Attention (104)": "3"},
        "s006": {"m00: Warm-up (100)": "10", "m04 Attention (104)": "9"},  # what the grader failed at stays as it was
    }
    assert any("20 points in Canvas and 15 here" in warning for warning in export.warnings)


@pytest.mark.parametrize(
    ("template", "titles", "sentence"),
    [
        ("Name,Mark\nA,1\n", None, "no gradebook of Canvas's"),
        ("Student,ID,Section,Quiz\nA,1,1,\n", None, "no column for any of m00 Warm-up"),
        ("Student,ID,Section,m04 a,m04 b\nA,1,1,,\n", None, "2 columns for 'm04 Attention'"),
        (CANVAS_TEMPLATE, {"m04": "Homework (7)"}, "no column for 'Homework (7)'"),
        (CANVAS_TEMPLATE, {"m05": "Homework (7)"}, "names 'm05', which this class has no results for"),
        ("Student,ID,Section,m04,m04\nA,1,1,,\n", None, "columns of the same name: m04"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template, titles, sentence):
    """A template that is none, or whose columns are unclear, is refused with what to do about it."""
    with pytest.raises(sheets.SheetError) as error:
        canvas.render(CLASS(), template=sheet(template), titles=titles)

    assert sentence in str(error.value)


def test_two_rows_that_fit_one_student_are_not_chosen_between():
    """An id that is one row's SIS id and another row's Canvas id leaves the student out, and says so."""
    text = "Student,ID,SIS User ID,SIS Login ID,Section,m00 (1),m04 (2)\nA,s001,x,,1,,\nB,7,s001,,1,,\n"

    export = canvas.render(CLASS(), template=sheet(text))

    assert "A" not in export.text.split("\n", 1)[1]
    assert any("Several rows" in warning and "s001" in warning for warning in export.warnings)


def test_an_id_that_is_a_formula_is_left_out_and_named():
    """A key must stay byte for byte: one that a spreadsheet would run is left out, and entered by hand."""
    result = CLASS()
    result.standings[0].student = dataclasses.replace(result.standings[0].student, id="=1+1")

    for export in (canvas.render(result), moodle.render(result)):
        assert lms_readers.spreadsheet_formulas(export.text) == []
        assert any("by hand" in warning and "=1+1" in warning for warning in export.warnings)


# ── Moodle ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", ["ID number", "Email address"])
def test_moodle_gives_every_mark_to_its_student(key):
    """Moodle's gradebook import gives everybody their own marks, by id and by e-mail address."""
    marks = lms_readers.moodle(moodle.render(CLASS()).text, key, PEOPLE)

    assert marks["s001"] == {"m00 Warm-up": 10, "m04 Attention": 2.25}
    assert marks["s006"] == {"m00 Warm-up": 10, "m04 Attention": None}
    assert "s004" not in marks and len(marks) == 8


def test_no_row_for_moodle_lacks_its_key():
    """Since Moodle gives a row without a key to the student before, the e-mail column goes when one has no address."""
    result = CLASS()
    result.standings[1].student = dataclasses.replace(result.standings[1].student, email="")

    export = moodle.render(result)

    assert "Email address" not in export.text.split("\n")[0]
    assert any("s002" in warning and "ID number" in warning for warning in export.warnings)
    assert lms_readers.moodle(export.text, "ID number", PEOPLE)["s002"]["m00 Warm-up"] == 6


def test_a_mark_that_ends_moodles_import_is_named():
    """A total above 100, at which Moodle ends the whole import, is warned of."""
    result = CLASS()
    result.columns = [dataclasses.replace(column, possible=150) for column in result.columns]
    for task in result.standings[6].milestones["m04_attention"].tasks:
        task.earned = 50

    assert any("above 100" in warning for warning in moodle.render(result).warnings)


def test_moodles_worksheet_comes_back_with_marks_and_feedback():
    """The worksheet goes back filled: marks and feedback in, every other cell as it was, what Moodle skips named."""
    people = {501: "s001", 502: "s002", 504: "s004", 507: "s007"}
    export = moodle_worksheet.render(CLASS(), sheet(WORKSHEET), ["m04_attention"])
    taken = lms_readers.worksheet(export.text, people, 15)

    assert {who: mark for who, (mark, _) in taken.items()} == {"s001": 2.25, "s002": 3, "s007": 15}
    assert "0.75 taken off for lateness" in taken["s001"][1]
    assert "Likely mistake: the scores are not divided by sqrt(d_head)." in taken["s002"][1]
    assert "0.456" not in export.text, "an official run's inputs are nobody's feedback"
    assert any("above the assignment's maximum" in warning and "s007" in warning for warning in export.warnings)
    assert export.text.startswith("\ufeffIdentifier,")
    assert '"Monday, 16 March 2026, 1:30 AM",-' in export.text


def test_a_worksheet_without_names_is_matched_by_the_exports_number():
    """Where the worksheet hides names, the participant's number in the submission's own name decides."""
    text = "Identifier,Grade,Last modified (grade),Feedback comments\nParticipant 77,,-,\n"
    result = CLASS()
    result.standings[1].origin = "export.zip!Participant_77_assignsubmission_file_/"

    export = moodle_worksheet.render(result, sheet(text), ["m04_attention"])

    assert lms_readers.worksheet(export.text, {77: "s002"}, 15)["s002"][0] == 3

    # The number is the assignment's: another one was handed in since, under another number.
    result.standings[1].origins = {"m04_attention": result.standings[1].origin}
    result.standings[1].origin = "later.zip!Participant_99_assignsubmission_file_/"
    again = moodle_worksheet.render(result, sheet(text), ["m04_attention"])
    assert again.text == export.text


def test_a_worksheet_in_another_language_is_mapped_or_refused():
    """Headings of another language are refused with what to do, and taken when --columns names them."""
    text = "Kennung,E-Mail-Adresse,Bewertung,Zuletzt geändert\nTeilnehmer/in 5,s002@uni.example,,-\n"
    titles = {"identifier": "Kennung", "email": "E-Mail-Adresse", "grade": "Bewertung", "modified": "Zuletzt geändert"}

    with pytest.raises(sheets.SheetError, match="--columns says how"):
        moodle_worksheet.render(CLASS(), sheet(text), ["m04_attention"])

    filled = moodle_worksheet.render(CLASS(), sheet(text), ["m04_attention"], titles=titles)
    assert filled.text.splitlines()[1] == "Teilnehmer/in 5,s002@uni.example,3,-"


@pytest.mark.parametrize("name", ["Dag, Eli \\", 'Dag \\"D" Berg', "\\", 'Dag\\\\" ', "no quote \\ at all"])
def test_a_backslash_before_a_quote_gives_nobody_anothers_mark(name):
    """PHP reads our table row by row as we wrote it, whatever backslashes and quotes stand in a name."""
    result = CLASS()
    result.standings[0].student = dataclasses.replace(result.standings[0].student, name=name)
    result.standings[1].student = dataclasses.replace(result.standings[1].student, name='Finn "Fin" Berg')

    for export in (moodle.render(result), canvas.render(result), nbgrader_csv.render(result), tasks_csv.render(result)):
        assert lms_readers.php(export.text) == list(csv.reader(io.StringIO(export.text)))
    marks = lms_readers.moodle(moodle.render(result).text, "ID number", PEOPLE)
    assert marks["s001"]["m04 Attention"] == 2.25 and marks["s002"]["m04 Attention"] == 3


def test_an_id_that_is_empty_to_php_is_left_out_and_named():
    """The id "0" would send its row to the student before: it is entered by hand, and nobody else's mark changes."""
    result = CLASS()
    result.standings[1].student = dataclasses.replace(result.standings[1].student, id="0")

    export = moodle.render(result)

    assert lms_readers.moodle(export.text, "ID number", PEOPLE)["s001"]["m04 Attention"] == 2.25
    assert any("by hand" in warning and warning.endswith(": 0.") for warning in export.warnings)


def test_an_id_that_canvas_reads_as_a_number_is_warned_of():
    """Of digits and points Canvas keeps the last point alone, so that nobody is found by such an id; others stay."""
    result = CLASS()
    ids = ["19.1.4025", "7,5", "19.4025", "0012", "a.1.2"]
    for standing, new in zip(result.standings, ids, strict=False):
        standing.student = dataclasses.replace(standing.student, id=new)

    (warning,) = [each for each in canvas.render(result).warnings if "as numbers" in each]

    assert [each for each in ids if lms_readers.canvas_cell(each) != each] == ids[:2]
    assert "in them: 19.1.4025, 7,5; give the gradebook that Canvas exports as --template" in warning


def test_a_decimal_comma_is_no_other_number_of_points():
    """Points possible that Canvas writes as 10,00 are 10, and nothing is said about them."""
    text = CANVAS_TEMPLATE.replace(",5,10,20,", ',5,"10,00","15,0",')

    assert not any("points in Canvas" in warning for warning in canvas.render(CLASS(), template=sheet(text)).warnings)


def test_a_template_that_php_wrote_is_filled(tmp_path):
    """A worksheet with a name as PHP quotes it comes back with each student's own mark, and is read by PHP."""
    text = WORKSHEET.replace("Participant 502,Grace,", 'Participant 502,"Dag \\"D"" Berg",')
    (tmp_path / "w.csv").write_text(text, encoding="utf-8")

    export = moodle_worksheet.render(CLASS(), sheets.read_sheet(tmp_path / "w.csv"), ["m04_attention"])

    taken = lms_readers.worksheet(export.text, {501: "s001", 502: "s002"}, 15)
    assert {who: mark for who, (mark, _) in taken.items()} == {"s001": 2.25, "s002": 3}


# ── nbgrader and tasks ────────────────────────────────────────────────────────────────────────────────────────────────


def test_nbgraders_columns_hold_for_names_with_commas():
    """Every row has nbgrader's eleven columns, also where a name has a comma, and the sums are right."""
    rows = list(csv.DictReader(io.StringIO(nbgrader_csv.render(CLASS()).text)))

    assert len(rows) == 18 and list(rows[0]) == nbgrader_csv.HEADER
    late = next(row for row in rows if row["assignment"] == "m04_attention" and row["student_id"] == "s001")
    assert (late["raw_score"], late["late_submission_penalty"], late["score"], late["max_score"]) == (
        "3.0",
        "0.75",
        "2.25",
        "15.0",
    )
    assert (late["duedate"], late["timestamp"]) == ("2026-03-15 22:59:00", "2026-03-16 00:30:00")
    assert next(row for row in rows if row["student_id"] == "s005")["last_name"] == "Lovelace"
    assert [row["last_name"] for row in rows[:9]] == sorted(row["last_name"] for row in rows[:9])
    assert [row["duedate"] for row in rows] == sorted(row["duedate"] for row in rows)
    missing = next(row for row in rows if row["student_id"] == "s004")
    assert (missing["timestamp"], missing["raw_score"], missing["score"]) == ("", "", "")


def test_every_student_has_a_row_for_every_task():
    """The table of tasks has a row for each student and task, with outcome, points, checks and mistake."""
    rows = list(csv.DictReader(io.StringIO(tasks_csv.render(CLASS()).text)))

    assert len(rows) == 9 * 5
    failed = next(row for row in rows if row["student_id"] == "s001" and row["task"] == "m04.2")
    assert (failed["outcome"], failed["earned"], failed["possible"], failed["checks_passed"]) == (
        "failed",
        "0",
        "5",
        "1",
    )
    assert failed["mistake"] == "the scores are not divided by sqrt(d_head)"
    assert {row["outcome"] for row in rows if row["student_id"] == "s004"} == {"no result"}


def test_a_class_comes_back_from_json_as_it_was():
    """A class's JSON file is ASCII and holds the whole class."""
    text = standing_json.render(CLASS())

    assert text.isascii()
    assert standing_json.from_json(json.loads(text)) == CLASS()


def test_no_student_is_compared_with_every_other(monkeypatch):
    """A class of thousands is exported in a time that grows as the class does."""

    def compared(one, other):
        raise AssertionError("two standings were compared")

    monkeypatch.setattr(Standing, "__eq__", compared)
    result = made_class.hostile_class()

    assert canvas.render(result).text and moodle.render(result).text and class_report.render(result)
