"""`python -m grader milestone m21_name`: write an empty, failing room, for docs/writing-a-milestone.md to fill.

`milestone x01_name --in rooms/` writes one that a course brings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from grader import syllabus
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.new_room.writing import write, write_own

REPOSITORY = Path(__file__).resolve().parents[2]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("milestone", help="its id, like m21_name, or x01_name of one that a course brings")
    parser.add_argument("--in", dest="folder", metavar="DIR", help="the folder of the rooms that a course brings")


def run(options: argparse.Namespace) -> int:
    """Write the files, and name them."""
    number = options.milestone[:3]
    try:
        if options.folder is None:
            written = write(options.milestone, syllabus.load(), REPOSITORY)
        else:
            written = [f"{Path(options.folder, path)}" for path in write_own(options.milestone, Path(options.folder))]
    except OSError as error:
        raise UsageProblem(f"The room cannot be written ({(error.strerror or str(error)).lower()}).") from None
    for path in written:
        print(path)
    if options.folder is not None:
        print(
            "Now fill them as docs/writing-a-milestone.md says, and name the folder among the course's milestones; "
            f"python -m grader verify {number} --course FILE tells what is missing."
        )
        return PASSED
    print(f"Now fill them as docs/writing-a-milestone.md says; nox -s tests -- {number} tells what is missing.")
    return PASSED
