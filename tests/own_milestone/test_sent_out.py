"""The room that a course brings, on its way out: handed out, packed, read out of a commit, and watched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile

import own_room
import pytest
import repositories
import support
import systems
import warm

from grader import cli, exits, syllabus
from grader import course as courses
from grader.handout import contents, leaks
from grader.pull_request import reading
from grader.watching.files import Watched

WARMUP = support.source("solutions", "m00_warmup")


def chosen(file):
    """Return the syllabus of a course."""
    return courses.load(file, support.COURSE).syllabus(support.COURSE)


def test_it_is_handed_out_and_graded_there(file, room, tmp_path):
    """Stub, guide, suite and its data lie where ours do, in the course's order; the solution and the rest stay here."""
    second = room.with_name("x00_late")
    shutil.copytree(room, second)
    for path in (second / "milestone.toml", second / "test_ladders.py", second / "stub.py"):
        path.write_text(path.read_text(encoding="utf-8").replace("x01", "x00"), encoding="utf-8")
    (second / "solution.py").write_text("# none yet\n", encoding="utf-8")
    (room / "mutants.toml").write_text("", encoding="utf-8")
    file.write_text(own_room.COURSE.replace('mine"]', 'mine", "./rooms/x00_late"]'), encoding="utf-8")

    assert cli.main(["handout", str(tmp_path / "out"), "--course", str(file), "--withhold", "x00.2"]) == exits.PASSED

    out = tmp_path / "out"
    assert (out / "exercises" / "x01_mine.py").read_text(encoding="utf-8") == own_room.STUB
    assert (out / "exercises" / "x01_mine.md").is_file()
    assert {path.name for path in (out / "grader" / "suites" / own_room.NAME).iterdir()} == {
        "__init__.py", "milestone.toml", "test_ladders.py", "oracle.py", "heights.json",
    }  # fmt: skip
    page = (out / "exercises" / "README.md").read_text(encoding="utf-8")
    assert "| [x01](x01_mine.md) | Steps up \\| down a ladder. | m00 | Ladders | – | 10 |\n| [x00]" in page
    assert "[x01](exercises/x01_mine.md)" in (out / "README.md").read_text(encoding="utf-8")
    read = syllabus.load(out / "grader" / "syllabus.toml", out / "grader" / "suites")
    assert [milestone.id for milestone in read.milestones] == ["m00_warmup", "x01_mine", "x00_late"]
    assert read.milestone("x00").tasks[1].withheld == 2 and read.milestone("x01").points == 10
    assert not any("reached = step" in path.read_text(errors="replace") for path in out.rglob("*") if path.is_file())

    (out / "exercises" / "x01_mine.py").write_text(own_room.SHORT, encoding="utf-8")
    done = warm.run("grader", "grade", "x01", cwd=out, env=os.environ | {"SCRATCHWORK_STATE": str(tmp_path / "state")})
    assert done.returncode == 1 and "the last step is missing" in done.stdout, done.stdout + done.stderr


def test_a_leak_of_its_solution_is_seen(file, tmp_path):
    """The scan knows the solution of what a course brings, renamed and in a guide too, and the room's path."""
    course = chosen(file)
    handout = contents.build(courses.load(file).whole(support.COURSE), courses.load(file), {})
    assert leaks.scan(handout.files, tmp_path / "new", own=course.own).found == []
    body = own_room.SOLUTION[own_room.SOLUTION.index("def climb") :]
    for text, said in (
        (body, "solution of climb"),
        (body.replace("rungs", "r").replace("reached", "s").replace("height", "t"), "with other names"),
        (f"# {course.own[0].room}\n", "the path"),
    ):
        found = leaks.scan({"exercises/m00_warmup.py": text.encode()}, tmp_path / "new", own=course.own).found
        assert any(said in line for line in found), (said, found)


def test_a_stub_that_is_none_is_not_handed_out(file, room, tmp_path, capsys):
    """A room whose stub is filled in is refused, and nothing written."""
    (room / "stub.py").write_text(own_room.SOLUTION, encoding="utf-8")

    assert cli.main(["handout", str(tmp_path / "out"), "--course", str(file)]) == exits.USAGE
    assert "is no longer a stub" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.skipif(not systems.STRANGERS, reason=systems.NO_STRANGERS)
@pytest.mark.parametrize("prerequisites", ["submission", "solutions"])
def test_it_is_packed_for_gradescope(file, tmp_path, prerequisites):
    """The zip holds the room without what students read, and grades it with nothing else of this machine's."""
    out, root = tmp_path / "x01.zip", tmp_path / "autograder"
    packing = ["gradescope", str(out), "x01", "--course", str(file), "--practice", "--prerequisites", prerequisites]
    assert cli.main(packing) == exits.PASSED
    with zipfile.ZipFile(out) as archive:
        archive.extractall(root / "source")
        names = {name for name in archive.namelist() if name.startswith("rooms/")}
    shutil.rmtree(file.parent)
    (root / "submission").mkdir()
    (root / "results").mkdir()
    (root / "submission" / "x01_mine.py").write_text(own_room.SHORT, encoding="utf-8")
    (root / "submission" / "m00_warmup.py").write_text(WARMUP, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-B", "-m", "grader.gradescope.run", str(root)], cwd=root / "source" / "course",
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip

    assert names == {f"rooms/x01_mine/{name}" for name in (
        "__init__.py", "heights.json", "milestone.toml", "oracle.py", "test_ladders.py",
    )}  # fmt: skip
    results = json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
    assert results["score"] == 4, done.stdout + done.stderr
    assert {test["number"] for test in results["tests"]} >= {"x01.1", "x01.2"}


def test_it_is_read_out_of_a_pull_request(file, tmp_path):
    """A commit that changes its module in the folder of the exercises is graded in it."""
    files = {"exercises/m00_warmup.py": WARMUP, "exercises/x01_mine.py": own_room.STUB}
    base = repositories.repository(tmp_path / "repository", files)
    head = repositories.commit(tmp_path / "repository", files | {"exercises/x01_mine.py": own_room.SOLUTION})

    pull = reading.read(tmp_path / "repository", base, head, chosen(file))

    assert [milestone.id for milestone in pull.affected(chosen(file))] == [own_room.NAME]
    assert pull.submission.sources[own_room.NAME] == own_room.SOLUTION.encode()


@pytest.mark.parametrize(
    ("name", "kind"), [("test_ladders.py", "suites"), ("oracle.py", "suites"), ("guide.md", "guides")]
)
def test_a_watch_sees_its_room(file, room, tmp_path, name, kind):
    """A save in the room means that milestone, its guide the guide, and not the grader."""
    course = chosen(file)
    watched = Watched(tmp_path / "mine", support.REPOSITORY / "exercises", course)

    (room / name).write_text("another\n", encoding="utf-8")

    touched = watched.touched()
    assert getattr(touched, kind) == {own_room.NAME} and not touched.grader
