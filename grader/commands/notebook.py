"""`python -m grader notebook m04`: a milestone as a notebook, written from its stub and its guide."""

from __future__ import annotations

import argparse
import os
import tomllib
from pathlib import Path

from grader import files, stubs
from grader.arguments import course as course_file
from grader.arguments import submission, submission_folder, syllabus_of
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.notebooks.reading import holds_work
from grader.notebooks.writing import notebook
from grader.submission import NOTEBOOK, SOURCE
from grader.syllabus import REPOSITORY


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("name", metavar="MILESTONE", help="m04, 4, attention or m04_attention")
    command.add_argument("--again", action="store_true", help="write it anew, and keep the one that is there beside it")
    submission(command)
    course_file(command)


def run(options: argparse.Namespace) -> int:
    """Write the notebook beside the stub, and say how to go on."""
    course = syllabus_of(options)
    milestone = course.milestone(options.name)
    folder = submission_folder(options)
    path = folder / f"{milestone.id}{NOTEBOOK}"
    if os.path.lexists(path) and not options.again:
        again = "--again writes a new one, and keeps this beside it"
        raise UsageProblem(f"{path} is there already, and nothing of it was changed; {again}.")
    try:
        text = notebook(
            milestone, stubs.stub(milestone), milestone.guide.read_text(encoding="utf-8"), course.repository, needed()
        )
        beside = files.unused(path.with_name(f"{path.name}.old")) if os.path.lexists(path) else None
        if beside is not None:
            os.rename(path, beside)
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except stubs.NoStub as problem:
        raise UsageProblem(str(problem)) from None
    except OSError as error:
        raise UsageProblem(f"{path} cannot be written ({files.reason(error)}).") from None
    kept = f" The one that was there is {beside}." if beside is not None else ""
    print(f"{path} is {milestone.number} as a notebook, with a cell for each task.{kept}")
    module = folder / f"{milestone.id}{SOURCE}"
    if _holds_work(module):
        print(
            f"You have written in {module}: bring that into the cells, and put the stub back (python -m grader reset "
            f"{milestone.number}). Of the two, one may hold work."
        )
    print("Open it in VS Code, or in JupyterLab: nox -s lab. There, %grade grades a task, and %hint shows a hint.")
    if course.repository:
        print(f"Its badge opens it on Colab, once it lies in {course.repository}: commit it, and push.")
    return PASSED


def needed() -> list[str]:
    """Return what the course needs besides torch, which Colab brings in a build for its own devices."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [name for name in project["dependencies"] if not name.startswith("torch>") and ";" not in name]


def _holds_work(module: Path) -> bool:
    try:
        return holds_work(files.read(module, files.SOURCE))
    except (OSError, ValueError):
        return False
