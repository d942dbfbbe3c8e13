"""A new milestone's files are written, read by the syllabus, and fail until they are filled."""

from __future__ import annotations

import ast
import re
import shutil

import pytest
import support
import test_guides

from grader import syllabus
from grader.new_room.writing import PLACES, write


@pytest.fixture
def copy(tmp_path):
    """Return a folder with the rooms of this repository."""
    shutil.copytree(support.REPOSITORY / "grader" / "suites", tmp_path / "grader" / "suites")
    shutil.copy(support.REPOSITORY / "grader" / "syllabus.toml", tmp_path / "grader")
    return tmp_path


def test_a_new_milestone_stands_in_the_syllabus(copy):
    """What was written is a milestone with a task, and every Python file of it parses."""
    written = write("m21_echo", support.COURSE, copy)

    course = syllabus.load(copy / "grader" / "syllabus.toml", copy / "grader" / "suites")
    assert [task.id for task in course.milestone("echo").tasks] == ["m21.1"]
    assert sorted(written) == sorted(path.format(id="m21_echo") for path in PLACES.values())
    for name in written:
        text = (copy / name).read_text(encoding="utf-8")
        assert "<<" not in text, name
        if name.endswith(".py"):
            ast.parse(text)


def test_a_new_guide_has_the_shape_of_all_guides(copy):
    """Its parts are those that every guide has, in their order, and what stands there parses as it will when filled."""
    write("m21_echo", support.COURSE, copy)
    guide = (copy / "exercises" / "m21_echo.md").read_text(encoding="utf-8")

    headings = re.findall(r"(?m)^## (.+)$", guide)

    assert headings == [*test_guides.BEFORE, "m21.1 First", *test_guides.AFTER]
    assert len(test_guides.FOLDED.findall(guide)) == guide.count("<details>") == 2
    assert re.findall(r"(?m)^\| (m21\.1 First) \| \d+ \| (\S+) \| (\S+) \|$", guide)
    assert all(f"**{word}" in guide for word in ("Goal.**", "Why it matters.**", "You need**"))


def test_a_new_milestone_earns_nothing(copy, monkeypatch):
    """Its stub is not started, and so is its solution until somebody writes it."""
    write("m21_echo", support.COURSE, copy)
    course = syllabus.load(copy / "grader" / "syllabus.toml", copy / "grader" / "suites")
    monkeypatch.setattr(support, "COURSE", course)

    for folder in ("exercises", "solutions"):
        result = support.grade({"m21_echo": (copy / folder / "m21_echo.py").read_text(encoding="utf-8")})
        assert (result.earned, set(support.outcomes(result).values())) == (0, {"not_started"})


@pytest.mark.parametrize(
    ("name", "said"),
    [("echo", "is no name for a milestone"), ("m04_echo", "m04 is taken by m04_attention"), ("../m21_x", "no name")],
)
def test_a_name_that_will_not_do_is_refused(copy, name, said):
    """A name of another form, or one whose number is taken, is refused in a sentence, and nothing is written."""
    with pytest.raises(syllabus.SyllabusError, match=said):
        write(name, support.COURSE, copy)

    assert not (copy / "exercises").exists()


def test_nothing_is_overwritten(copy):
    """Where one of the files is there already, none is written."""
    (copy / "solutions").mkdir()
    (copy / "solutions" / "m21_echo.py").write_text("mine", encoding="utf-8")

    with pytest.raises(syllabus.SyllabusError, match=r"m21_echo\.py is there already"):
        write("m21_echo", support.COURSE, copy)

    assert not (copy / "exercises").exists()
