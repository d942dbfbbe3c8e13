"""What several commands take on their command line, and what it stands for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from . import syllabus
from .submission import SubmissionError

if TYPE_CHECKING:
    from .course import Course

ISOLATION = ("auto", "bubblewrap", "user", "process", "inline")


def submission(command: argparse.ArgumentParser) -> None:
    """Add which folder is graded."""
    which = command.add_mutually_exclusive_group()
    which.add_argument("--submission", metavar="DIR", help="the folder with the modules (default: exercises)")
    which.add_argument("--student", metavar="NAME", help="grade submissions/NAME")


def course(command: argparse.ArgumentParser) -> None:
    """Add the file that says which milestones a course has."""
    command.add_argument("--course", metavar="FILE", help="the milestones, points and due dates of a course, as TOML")


def prerequisites(command: argparse.ArgumentParser) -> None:
    """Add where the earlier milestones come from."""
    command.add_argument(
        "--prerequisites",
        choices=("submission", "solutions"),
        default="submission",
        help="where the earlier milestones come from that a milestone is made of",
    )


def conditions(command: argparse.ArgumentParser) -> None:
    """Add what is graded, and under which conditions."""
    command.add_argument(
        "milestones", nargs="*", metavar="MILESTONE[.TASK]", help="m04, 4, attention, m04_attention, or one task: m04.2"
    )
    submission(command)
    course(command)
    circumstances(command)


def circumstances(command: argparse.ArgumentParser) -> None:
    """Add under which conditions something is graded."""
    prerequisites(command)
    command.add_argument(
        "--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where the student's code runs"
    )
    command.add_argument("--weights", default="gpt2-nano", metavar="gpt2-nano|gpt2|DIR", help="the GPT-2 checkpoint")
    command.add_argument("--weights-llama", default="llama-nano", metavar="llama-nano|DIR", help="the Llama checkpoint")
    command.add_argument("--seed", default=None, metavar="N|random", help="what all inputs are drawn from")
    command.add_argument(
        "--isolation",
        choices=ISOLATION,
        default="auto",
        help="how the student's code is shut in (auto: the strongest that works here)",
    )


def judges(command: argparse.ArgumentParser) -> None:
    """Add how many checks may be judged side by side."""
    command.add_argument(
        "--judges",
        metavar="N",
        type=count,
        help="how many judges a long run may have side by side (default: as many as there are cores, 4 at most)",
    )


def count(text: str) -> int:
    """Read a whole number from 1 to a million."""
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1,000,000")
    return int(text)


def syllabus_of(options: argparse.Namespace) -> syllabus.Syllabus:
    """Return the syllabus, or that of the course that --course names. Raises SyllabusError."""
    whole, named = course_of(options)
    return named.syllabus(whole) if named else whole


def course_of(options: argparse.Namespace) -> tuple[syllabus.Syllabus, Course | None]:
    """Return all milestones, those that a course brings among them, and the course that --course names, if any.

    Raises SyllabusError.
    """
    whole = syllabus.load()
    if options.course is None:
        return whole, None
    from . import course as courses

    named = courses.load(Path(options.course), whole)
    return named.whole(whole), named


def submission_folder(options: argparse.Namespace) -> Path:
    """Return the folder that --submission or --student names. Raises SubmissionError for a name that is none."""
    if options.student is not None:
        name = options.student
        if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
            raise SubmissionError(f"--student {name!r} is no name of a folder below submissions/.")
        return Path("submissions") / name
    return Path(options.submission or "exercises")
