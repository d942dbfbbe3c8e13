"""`python -m grader reset m04.2`: a task's stub comes back, or a milestone's; what stood there is kept beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

from grader import files, stubs
from grader.arguments import course as course_file
from grader.arguments import submission, submission_folder, syllabus_of
from grader.exits import PASSED
from grader.judge.errors import UsageProblem


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("name", metavar="MILESTONE[.TASK]", help="m04.2, or m04 for the whole file")
    submission(command)
    course_file(command)


def run(options: argparse.Namespace) -> int:
    """Put the stub back and say where the old text lies."""
    milestone, task = syllabus_of(options).named(options.name)
    path = submission_folder(options) / f"{milestone.id}.py"
    what = f"{task.id} {task.title}" if task is not None else f"{milestone.id}.py"
    try:
        stub, old = stubs.stub(milestone), _read(path)
        new = stub if task is None or old is None else stubs.put_back(old, stub, task.id)
    except stubs.NoStub as problem:
        raise UsageProblem(str(problem)) from None
    except SyntaxError as error:
        raise UsageProblem(
            f"{path} cannot be read as Python (line {error.lineno or 1}), so no single task of it can be reset; "
            f"python -m grader reset {milestone.number} brings the whole file back."
        ) from None
    if new == old:
        print(f"{what} is the stub already; nothing was changed.")
        return PASSED
    try:
        if old is not None:
            beside = files.unused(path.with_name(f"{path.name}.old"))
            beside.write_bytes(old.encode())
        path.write_bytes(new.encode())
    except OSError as error:
        raise UsageProblem(f"{path} cannot be written ({files.reason(error)}); nothing of it was changed.") from None
    kept = f"; the file as it was is {beside}" if old is not None else ""
    print(f"{what} is the stub again, in {path}{kept}.")
    return PASSED


def _read(path: Path) -> str | None:
    """Return a student's file; None where there is none."""
    try:
        return files.read(path, files.SOURCE).decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise SyntaxError("not UTF-8") from None
    except (OSError, ValueError) as error:
        raise UsageProblem(f"{path} cannot be read ({files.reason(error)}).") from None
