"""A student's copy grades in a clone, takes updates by a merge, and has a student's commands alone."""

from __future__ import annotations

import json
import re
import shutil

import support
from handouts import LARGER, SMALL, built, command, git, nox

from grader import exits
from grader.handout import contents, folder

SOLUTION = support.source("solutions", "m04_attention")


def test_a_clone_grades_and_an_update_merges(small, tmp_path):
    """A student clones, solves and commits; a later handout with another milestone merges without a conflict.

    Before anything is written the clone says that nothing is started; after the merge the student's module is what it
    was, earns its points under the new grader, and a withheld task is counted as still to come.
    """
    template, student = tmp_path / "template", tmp_path / "student"
    folder.write(small, template)
    git(template, "init")
    git(template, "add", "--all")
    git(template, "commit", "-m", "The course")
    git(tmp_path, "clone", str(template), str(student))

    fresh = command(student, "grade", "m04", "--json", str(tmp_path / "fresh.json"))
    assert fresh.returncode == exits.NOT_PASSED and "Nothing is started yet" in fresh.stdout, (
        fresh.stdout + fresh.stderr
    )

    page = tmp_path / "fresh.html"
    converted = command(student, "convert", str(tmp_path / "fresh.json"), str(page), "--to", "html")
    assert converted.returncode == exits.PASSED and "m04.1" in page.read_text(encoding="utf-8"), converted.stderr

    shutil.copy(support.REPOSITORY / "solutions" / "m04_attention.py", student / "exercises" / "m04_attention.py")
    (student / "exercises" / "notes.txt").write_text("mine")
    git(student, "add", "--all")
    git(student, "commit", "-m", "Attention")

    later = built(LARGER, ["m04.2"], tmp_path)
    guide = "exercises/m04_attention.md"
    later.files[guide] = later.files[guide] + b"\nOne more remark.\n"
    later.files[contents.MANIFEST] = contents.manifest(later).encode()
    updated = folder.update(later, template)
    assert updated.notes == [] and "exercises/m03_embedding.py" in updated.written
    git(template, "add", "--all")
    git(template, "commit", "-m", "Embeddings")
    git(student, "pull", "--no-rebase", "origin", "main")

    assert (student / "exercises" / "m04_attention.py").read_text() == SOLUTION
    assert (student / "exercises" / "notes.txt").read_text() == "mine"
    assert (student / "exercises" / "m03_embedding.py").is_file()
    assert "One more remark." in (student / guide).read_text()
    assert "<<<<<<<" not in git(student, "diff", "HEAD~1") and git(student, "status", "--porcelain") == ""

    again = ("grade", "m04", "--json", str(tmp_path / "solved.json"))
    solved = command(student, *again, sandbox=support.sandbox())
    assert solved.returncode == exits.PASSED, solved.stdout + solved.stderr
    assert re.search(
        r"Everything that is checked here passes.*\n.*\d+ checks for 5 points are still to come", solved.stdout
    )
    tasks = {task["id"]: task for task in json.loads((tmp_path / "solved.json").read_text())["milestones"][0]["tasks"]}
    assert tasks["m04.2"]["outcome"] == "withheld" and tasks["m04.2"]["earned"] == 0
    assert tasks["m04.2"]["withheld"] == later.withheld["m04.2"] > 15
    assert all(tasks[name]["outcome"] == "passed" for name in ("m04.1", "m04.3", "m04.4"))


def test_nox_grades_in_a_fresh_clone(small, tmp_path):
    """`nox -s grade` does in a clone what the students' README says, with the exit codes of the command behind it.

    With --no-venv, as on Colab: the packages of this Python are used, and no network. The same without a session's
    name; and a package that is missing is named, before anything is graded.
    """
    template, student = tmp_path / "template", tmp_path / "student"
    folder.write(small, template)
    git(template, "init")
    git(template, "add", "--all")
    git(template, "commit", "-m", "The course")
    git(tmp_path, "clone", str(template), str(student))

    fresh = nox(student, "-s", "grade", "--", "m00")
    assert (fresh.returncode, "Nothing is started yet" in fresh.stdout) == (exits.NOT_PASSED, True), fresh.stderr

    shutil.copy(support.REPOSITORY / "solutions" / "m00_warmup.py", student / "exercises" / "m00_warmup.py")
    solved = nox(student, "--", "m00")
    assert solved.returncode == exits.PASSED, solved.stdout + solved.stderr
    assert "10 of 10 points" in solved.stdout

    typo = nox(student, "-s", "grade", "--", "m05")
    assert typo.returncode == exits.USAGE and "There is no milestone 'm05'" in typo.stderr

    assert git(student, "status", "--porcelain").split() == ["M", "exercises/m00_warmup.py"]
    lacking = (student / "noxfile.py").read_text(encoding="utf-8").replace('"jaxtyping"', '"no_such_package"')
    (student / "noxfile.py").write_text(lacking, encoding="utf-8")
    missing = nox(student, "-s", "grade", "--", "m00")
    assert missing.returncode == 1 and "it lacks no_such_package; pip install them." in missing.stderr
    assert "points" not in missing.stdout


def test_instructors_commands_are_not_there(small, tmp_path):
    """A student's copy says of an instructor's command that it is one, lists its own, and has no solution to show."""
    folder.write(small, tmp_path / "copy")

    refused = command(tmp_path / "copy", "verify")
    listed = command(tmp_path / "copy", "--help").stdout
    told = command(tmp_path / "copy", "compare", "m04", "--give-up")

    assert refused.returncode == exits.USAGE and "verify is for instructors" in refused.stderr
    names = ["grade", "watch", "list", "hint", "shell", "notebook", "reset", "compare", "convert"]
    assert re.findall(r"^    (\w+) ", listed, flags=re.M) == names
    assert (told.returncode, told.stdout) == (exits.USAGE, "")
    assert "this copy of the course has no solutions" in told.stderr


def test_a_stub_comes_back_in_a_students_copy(small, tmp_path):
    """A student's copy has its stubs once more, so that one comes back without git and whatever was written over it."""
    copy = tmp_path / "copy"
    folder.write(small, copy)
    stub = copy / "exercises" / "m04_attention.py"
    handed_out = stub.read_text(encoding="utf-8")
    stub.write_text(handed_out.replace('raise NotImplementedError("m04.1")', "return None"), encoding="utf-8")

    done = command(copy, "reset", "m04.1")

    assert (done.returncode, done.stderr) == (exits.PASSED, "")
    assert stub.read_text(encoding="utf-8") == handed_out


def test_references_and_courses_can_be_named(tmp_path):
    """`verify` takes another reference folder and a course, and counts the course's points."""
    shutil.copytree(support.REPOSITORY / "solutions", tmp_path / "mine")
    (tmp_path / "course.toml").write_text(SMALL + '[[milestone]]\nid = "m00"\npoints = 30\n')

    done = command(
        support.REPOSITORY,
        "verify",
        "m00",
        "--reference",
        str(tmp_path / "mine"),
        "--course",
        str(tmp_path / "course.toml"),
        sandbox=support.sandbox(),
    )

    assert done.returncode == exits.PASSED, done.stdout + done.stderr
    assert "30 of 30 points" in done.stdout and "0 of 30 points" in done.stdout
