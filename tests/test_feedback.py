"""Feedback for each student: a page of their own, in the official view, and what Moodle and Canvas hand out."""

from __future__ import annotations

import zipfile

import lms_readers
import made_book
import pytest
from test_marks import ANNA, BEN, CEM, course, marks, run

from grader.classroom.book.gradebook import Gradebook


@pytest.fixture
def book(tmp_path):
    """A gradebook of three, in which Ben is late and something was decided of Anna."""
    book = made_book.make(tmp_path / "book.sqlite")
    marks(
        "adjust",
        book,
        "--student",
        ANNA,
        "--milestone",
        "m04",
        "--points",
        "-2",
        "--reason",
        "<b>as we & you agreed</b>",
    )
    marks("excuse", book, "--student", ANNA, "--milestone", "m01", "--reason", "transferred")
    return book


def feedback(book, folder, *options, code=0):
    """Write feedback; return the files' texts by name, and what was said."""
    ended, _, said = run("export", book, "--format", "feedback", "--out", folder, *options)
    assert ended == code, said
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}, said


def test_each_student_has_a_page_of_their_own(book, tmp_path):
    """It says what was earned, taken off and counts, and why; nobody else and no hidden value stands on it."""
    files, _ = feedback(book, tmp_path / "out", "--course", course(tmp_path))

    assert sorted(files) == [f"{who}.{kind}" for who in (ANNA, BEN, CEM) for kind in ("html", "md")]
    page, text = files["ben.html"].decode(), files["ben.md"].decode()
    for said in ("2.4 taken off for lateness, which leaves 5.6. It came 3 days late.", made_book.MISTAKE):
        assert said in " ".join(page.split()) and said.split(".")[0] in text.replace("\\", "")
    assert '<td class="n">8</td><td class="n">2.4</td><td class="n">5.6</td><td class="n">10</td>' in page
    assert "Anna" not in page + text and "0.456" not in page + text
    anna = files["anna.html"].decode()
    assert "&lt;b&gt;as we &amp; you agreed&lt;/b&gt;" in anna and "changed by -2 by hand" in anna
    assert "<script" not in anna and "default-src &#39;none&#39;" in anna.replace("'", "&#39;")
    assert "No mark" not in anna and "Nothing was handed in." in files["cem.md"].decode()


def test_drafts_stay_where_they_are(book, tmp_path):
    """Nothing that is not released is on a page; who has nothing released gets none, and is named."""
    file = course(tmp_path, more="drafts = true")
    marks("release", book, "--milestone", "m00", "--student", BEN)

    files, said = feedback(book, tmp_path / "out", "--course", file)

    assert sorted(files) == ["ben.html", "ben.md"] and "Nothing is released or due for anna, cem: no page." in said
    assert "m04" not in files["ben.md"].decode()


def test_moodle_and_canvas_get_archives_in_their_own_names(book, tmp_path):
    """Each archive's names are those by which the platform finds a submission; a team's members share none."""
    with Gradebook.open(book) as opened:
        for who, origin in {
            ANNA: "week0.zip!Anna Apt_77_assignsubmission_file_",
            BEN: "week0.zip!Ben Bit_78_assignsubmission_file_/exercises",
        }.items():
            made_book.hand_in(opened, who, made_book.graded("m00"), origin=origin)
        for who, name in {ANNA: "apt_anna2_12_345", BEN: "team_9_99", CEM: "team_9_99"}.items():
            made_book.hand_in(opened, who, made_book.graded("m04", "m04.1"), origin=f"canvas/{name}")

    files, said = feedback(book, tmp_path / "out", "--milestone", "m00", "--milestone", "m04")

    with zipfile.ZipFile(tmp_path / "out" / "moodle-m00.zip") as archive:
        assert archive.namelist() == [
            f"{name}_assignsubmission_file_/feedback.html" for name in ("Anna Apt_77", "Ben Bit_78")
        ]
        assert lms_readers.moodle_feedback(archive.namelist()[0]) == (77, "assignsubmission_file", "/feedback.html")
        assert "m04" not in archive.read(archive.namelist()[0]).decode()
    with zipfile.ZipFile(tmp_path / "out" / "canvas-m04.zip") as archive:
        assert archive.namelist() == ["apt_anna2_12_345_feedback.html"]
        assert lms_readers.canvas_comment(archive.namelist()[0]) == [12, 345]
    assert "m04 of ben, cem is teams' work" in said and "moodle-m00.zip lacks cem, whose m00" in said
    assert len(files) == 8


def test_one_students_feedback_and_what_is_wrong_with_asking(book, tmp_path):
    """--student writes that one's files; without a folder, or for nobody, one sentence."""
    files, _ = feedback(book, tmp_path / "out", "--student", CEM)
    assert sorted(files) == ["cem.html", "cem.md"]

    assert "did you mean ben?" in feedback(book, tmp_path / "no", "--student", "benn", code=2)[1]
    assert "name it with --out" in run("export", book, "--format", "feedback")[2]
