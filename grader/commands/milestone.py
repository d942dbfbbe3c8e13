"""`python -m grader milestone m21_name`: write an empty, failing room, for docs/writing-a-milestone.md to fill."""

from __future__ import annotations

import argparse
from pathlib import Path

from grader import syllabus
from grader.exits import PASSED
from grader.new_room.writing import write

REPOSITORY = Path(__file__).resolve().parents[2]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("milestone", help="its id, like m21_name")


def run(options: argparse.Namespace) -> int:
    """Write the files, and name them."""
    for path in write(options.milestone, syllabus.load(), REPOSITORY):
        print(path)
    number = options.milestone[:3]
    print(f"Now fill them as docs/writing-a-milestone.md says; nox -s tests -- {number} tells what is missing.")
    return PASSED
