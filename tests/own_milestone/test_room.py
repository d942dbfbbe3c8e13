"""The room that a course brings: read, named, part of the hash, written empty, or refused in a sentence."""

from __future__ import annotations

import json
import os
import shutil

import own_room
import pytest
import support

from grader import cli, exits, own_rooms, syllabus
from grader import course as courses
from grader.judge.fingerprint import grader_version, judging_version
from grader.judge.grading import count_checks
from grader.new_room.writing import OWN_PLACES


def chosen(file):
    """Return the syllabus of a course."""
    return courses.load(file, support.COURSE).syllabus(support.COURSE)


def test_it_comes_after_ours_and_answers_to_its_own_names(file):
    """`x01`, its name and its word mean it; a bare number means ours; a task is found by its id."""
    whole = courses.load(file).whole(support.COURSE)
    course = chosen(file)

    assert [milestone.id for milestone in course.milestones] == ["m00_warmup", own_room.NAME]
    assert {course.milestone(name).id for name in ("x01", "mine", "x01_mine", "X01_mine.py")} == {own_room.NAME}
    assert whole.milestone("1").id == whole.milestone("01").id == "m01_tokenizer"
    assert whole.task("x01.2")[1].title == "The way up" and whole.task("01.2")[1].id == "m01.2"
    assert course.milestone("x01").points == 10 and whole.milestone("x01").points == 5
    with pytest.raises(syllabus.SyllabusError):
        course.milestone("1")


def test_its_suite_is_part_of_the_graders_hash(file, room):
    """What decides outcomes counts, data beside the suite as well; what students read and the solution do not."""
    bare = grader_version(()), judging_version(())

    def versions():
        rooms = own_rooms.packed(chosen(file))
        return grader_version(rooms), judging_version(rooms)

    first = versions()
    for name in ("guide.md", "stub.py", "solution.py", ".notes", "__pycache__/oracle.pyc"):
        (room / name).parent.mkdir(exist_ok=True)
        (room / name).write_text("another\n", encoding="utf-8")
    assert first == versions() and not set(first) & set(bare)
    seen = {first}
    for name in ("test_ladders.py", "oracle.py", "heights.json", "milestone.toml", "__init__.py", "more.py"):
        with (room / name).open("a", encoding="utf-8") as text:
            text.write("\n# another\n")
        seen.add(versions())
    assert len(seen) == 7


GOAL = "[stretch]\ntitle = 'a'\nfigure = 'b'\nunit = 'c'\n"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda room: shutil.rmtree(room), "there is no such folder"),
        (lambda room: (room / "stub.py").unlink(), "its folder has no stub.py"),
        (lambda room: (room / "__init__.py").unlink(), "its folder has no __init__.py"),
        (lambda room: (room / "test_ladders.py").unlink(), "its folder has no suite"),
        (lambda room: room.rename(room.with_name("m21_mine")), "is called like x01_name"),
        (lambda room: room.rename(room.with_name("x1_mine")), "is called like x01_name"),
        (lambda room: shutil.copytree(room, room.with_name("x01_too")), "x01_too has the number of x01_mine"),
        (lambda room: (room / "milestone.toml").write_text("title = "), "its milestone.toml cannot be used"),
        (lambda room: (room / "milestone.toml").write_text("title = 5"), "title cannot be 5"),
        (lambda room: (room / "milestone.toml").write_text('title = "a"'), "summary is missing"),
        (lambda room: edit(room, "title = ", "loopback = 1\ntitle = "), "loopback cannot be 1"),
        (lambda room: edit(room, "title = ", "limits = { loopback = true }\ntitle = "), "no key limits.loopback"),
        (lambda room: edit(room, 'points = 2', "points = -2"), "task.points cannot be -2"),
        (lambda room: edit(room, 'hints = ["W', 'hnts = ["W'), "there is no key task.hnts"),
        (lambda room: edit(room, 'implements = ["step"]', "implements = [1]"), "task.implements is a list of texts"),
        (lambda room: edit(room, 'id = "x01.2"', 'id = "x01.3"'), "the task x01.3 should be x01.2"),
        (lambda room: edit(room, "m00_warmup", "m77_none"), "needs m77_none, which does not come before it"),
        (lambda room: edit(room, "m00_warmup", "m01_tokenizer"), "made of m01_tokenizer, which the course leaves out"),
        (lambda room: edit(room, "[[task]]", "[limits]\nseconds = 'x'\n[[task]]"), "limits.seconds cannot be"),
        (lambda room: edit(room, "[[task]]", f"{GOAL}\n[[task]]"), "and its folder has no stretch.py"),
        (lambda room: edit(room, "[[task]]", "[stretch]\ntitle = 'a'\n[[task]]"), "stretch.figure is missing"),
        (lambda room: edit(room, "[[task]]", f"{GOAL}better = 'big'\n[[task]]"), "neither 'more' nor 'less'"),
        (lambda room: edit(room, "[[task]]", f"{GOAL}rounds = 'ten'\n[[task]]"), "neither 'repeats' nor 'seeds'"),
        (lambda room: (room / "oracle.py").write_bytes(b"#" * (own_rooms.LARGEST + 1)), "it is larger than 16 MB"),
    ],
)  # fmt: skip
def test_a_room_that_will_not_do_is_refused_in_a_sentence(file, room, damage, said, capsys):
    """The course's file, the key and what is wrong, with exit code 2, whichever command is asked."""
    damage(room)
    named = next((path.name for path in room.parent.iterdir() if path.name != own_room.NAME), own_room.NAME)
    names = [f"./rooms/{own_room.NAME}", *([f"rooms/{named}/"] if named == "x01_too" else [])]
    names = names if named == "x01_too" else [f"./rooms/{named}"]
    file.write_text(f'[course]\nname = "Mine"\nmilestones = {json.dumps(["m00", *names])}\n', encoding="utf-8")

    for name in ("grade", "list", "hint x01"):
        assert cli.main([*name.split(), "--course", str(file)]) == exits.USAGE
        err = capsys.readouterr().err
        assert said in err and str(file) in err and err.count("\n") == 1, err
        assert "course.milestones" in err or "which the course leaves out" in err


def edit(room, old, new):
    """Replace the first of a text in a room's entry."""
    entry = room / "milestone.toml"
    entry.write_text(entry.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root can read everything")
def test_a_room_that_cannot_be_read_is_refused(file, room, capsys):
    """A folder that is closed to whoever asks is named as well."""
    room.chmod(0)
    try:
        assert cli.main(["list", "--course", str(file)]) == exits.USAGE
    finally:
        room.chmod(0o755)
    assert "course.milestones" in capsys.readouterr().err


def test_an_empty_one_is_written(tmp_path, capsys):
    """`milestone x01_echo --in DIR` writes a room that a course can bring, and whose checks fail until it is filled."""
    assert cli.main(["milestone", "x01_echo", "--in", str(tmp_path / "rooms")]) == exits.PASSED
    assert {path.name for path in (tmp_path / "rooms" / "x01_echo").iterdir()} == {
        place.rpartition("/")[2] for place in OWN_PLACES.values()
    }
    (tmp_path / "course.toml").write_text('[course]\nname = "E"\nmilestones = ["rooms/x01_echo"]\n', encoding="utf-8")
    assert [milestone.id for milestone in chosen(tmp_path / "course.toml").milestones] == ["x01_echo"]
    assert count_checks(chosen(tmp_path / "course.toml"), ["x01_echo"]) == {"x01.1": 1}
    for name, said in (("x01_echo", "is there already"), ("x01_other", "x01 is taken"), ("m21_echo", "no name for")):
        assert cli.main(["milestone", name, "--in", str(tmp_path / "rooms")]) == exits.USAGE
        assert said in capsys.readouterr().err
