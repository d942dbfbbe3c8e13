"""`python -m grader verify`: the solutions swapped in earn full marks, alone and together; the stubs earn nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from grader import record
from grader.arguments import ISOLATION, course, syllabus_of
from grader.commands.grade import select
from grader.exits import NOT_PASSED, PASSED
from grader.judge.errors import UsageProblem
from grader.practice import PUBLIC_SEED, with_solutions
from grader.sandbox import levels
from grader.submission import Submission, with_own_solutions, with_own_stubs

REPOSITORY = Path(__file__).resolve().parents[2]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("milestones", nargs="*", metavar="MILESTONE")
    command.add_argument(
        "--reference", default="solutions", metavar="DIR", help="the folder with the reference modules"
    )
    command.add_argument("--isolation", choices=ISOLATION, default="auto")
    course(command)


def run(options: argparse.Namespace) -> int:
    """Grade reference and stubs, print a line each, and return whether all is as it must be."""
    from rich.console import Console

    course = syllabus_of(options)
    chosen = select(course, options.milestones)
    reference = Path(options.reference)
    if not reference.is_dir():
        raise UsageProblem(f"verify needs the folder {reference} with the reference modules.")
    solutions, stubs = with_own_solutions(reference, course), with_own_stubs(REPOSITORY / "exercises", course)
    notes: list[str] = []
    workers = levels.choose(options.isolation, "cpu", notes.append)
    console = Console(highlight=False, markup=False)
    good = True
    try:
        workers.wait()
        for note in notes:
            console.print(note)
        for milestone in chosen:
            alone = with_solutions(Submission("", *_only(solutions, milestone.id)), course, [milestone], reference)
            good &= _line(console, f"{milestone.id}, solution alone", alone, course, [milestone], workers, full=True)
            good &= _line(console, f"{milestone.id}, stub", stubs, course, [milestone], workers, full=False)
        if len(chosen) > 1:
            good &= _line(console, "all solutions together", solutions, course, chosen, workers, full=True)
            good &= _line(console, "all stubs together", stubs, course, chosen, workers, full=False)
    finally:
        workers.close()
    console.print("Everything is as it must be." if good else "Something is not as it must be.", style="bold")
    return PASSED if good else NOT_PASSED


def _only(submission: Submission, module: str) -> tuple[dict[str, bytes], dict[str, str]]:
    return (
        {name: source for name, source in submission.sources.items() if name == module},
        {name: problem for name, problem in submission.problems.items() if name == module},
    )


def _line(console, title, submission, course, milestones, workers, full) -> bool:  # type: ignore[no-untyped-def]
    from grader.judge.crew import most_judges
    from grader.judge.grading import grade
    from grader.judge.oracles import Weights
    from grader.judge.planned import Options

    options = Options([milestone.id for milestone in milestones], seed=PUBLIC_SEED, judges=most_judges(workers))
    result = grade(options, course, submission, workers, Weights("gpt2-nano"))
    checks = [check for milestone in result.milestones for task in milestone.tasks for check in task.checks]
    if full:
        wrong = [check for check in checks if check.outcome != record.PASSED]
        good = result.passed and result.earned == result.possible
    else:
        wrong = [check for check in checks if check.outcome not in (record.NOT_STARTED, record.BLOCKED)]
        good = not wrong and result.earned == 0
    console.print(
        f"{'as it must be' if good else 'WRONG':14} {title}: {result.earned:g} of {result.possible:g} points, "
        f"{len(checks)} checks in {result.seconds:.1f} s"
    )
    for check in wrong[:5]:
        console.print(
            f"               {check.id}: {check.outcome}: {check.message.splitlines()[0] if check.message else ''}"
        )
    return good
