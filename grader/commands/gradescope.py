"""`python -m grader gradescope OUT.zip`: the autograder of one assignment, to be uploaded to Gradescope."""

from __future__ import annotations

import argparse
from pathlib import Path

from grader import files
from grader.arguments import count, course, prerequisites, syllabus_of
from grader.commands import report_paths
from grader.commands.grade import select
from grader.course import LARGEST
from grader.exits import PASSED
from grader.gradescope import package as gradescope_zip
from grader.judge.errors import UsageProblem
from grader.practice import LONGEST_SEED, SHORTEST_SECRET


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("out", metavar="OUT.zip", help="the zip to write")
    command.add_argument("milestones", nargs="*", metavar="MILESTONE", help="what is graded (default: everything)")
    command.add_argument("--practice", action="store_true", help="public seed and full reports: for work without marks")
    command.add_argument("--secret-seed", metavar="FILE", help="what all runs draw from (default: a new one is drawn)")
    course(command)
    prerequisites(command)
    command.add_argument(
        "--isolation",
        choices=("auto", "bubblewrap", "user"),
        default="auto",
        help="how the student's code is shut in (auto: bubblewrap where it works there, else user)",
    )
    command.add_argument(
        "--minutes", type=count, default=9, metavar="N", help="when grading is given up; less than Gradescope's limit"
    )


def run(options: argparse.Namespace) -> int:
    """Write the zip and say what is in it."""
    syllabus = syllabus_of(options)
    chosen = select(syllabus, options.milestones)
    report_paths.check_writable([options.out])
    if options.practice and options.secret_seed:
        raise UsageProblem("--practice draws from the public seed; leave --secret-seed away.")
    if options.prerequisites == "solutions" and not (gradescope_zip.REPOSITORY / "solutions").is_dir():
        raise UsageProblem("--prerequisites solutions needs the folder solutions/, which this copy lacks.")
    assignment = gradescope_zip.Assignment(
        chosen, not options.practice, "" if options.practice else _seed(options.secret_seed),
        options.prerequisites, options.isolation, options.minutes,
        b"" if options.course is None else files.read(options.course, LARGEST),
    )  # fmt: skip
    out = Path(options.out)
    try:
        names = gradescope_zip.write(out, assignment, syllabus)
    except OSError as error:
        raise UsageProblem(f"{out} cannot be written ({error.strerror}).") from None
    size = out.stat().st_size / 1e6
    print(f"{out}: {len(names)} files, {size:.1f} MB, for {', '.join(milestone.id for milestone in chosen)}.")
    if assignment.official:
        print("It holds the secret seed (the file secret_seed in it): keep the zip to yourself.")
    return PASSED


def _seed(path: str | None) -> str:
    """Return the seed that the instructor gives, or a new one."""
    if path is None:
        return gradescope_zip.draw_seed()
    try:
        seed = files.read_text(path, LONGEST_SEED).strip()
    except (OSError, ValueError) as error:
        raise UsageProblem(f"--secret-seed names {path}, which cannot be read ({files.reason(error)}).") from None
    if len(seed) < SHORTEST_SECRET:
        raise UsageProblem(f"The secret seed in {path} has fewer than {SHORTEST_SECRET} characters; make it longer.")
    return seed
