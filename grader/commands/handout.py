"""`python -m grader handout DIR`: writes the students' repository, and proves what is not in it."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from grader import syllabus
from grader.arguments import course, course_of
from grader.exits import FAULT, PASSED
from grader.judge.errors import UsageProblem


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("folder", metavar="DIR", help="where the repository goes: a new folder, or one to --update")
    course(command)
    command.add_argument(
        "--withhold",
        action="append",
        default=[],
        metavar="m04,m05.2",
        help="leave out the checks of these milestones and tasks: they run on the course's own server only",
    )
    command.add_argument(
        "--with-pull-requests",
        action="store_true",
        help="put in the command and the workflow that grade pull requests on the handout",
    )
    command.add_argument("--update", action="store_true", help="bring a handout up to date; changed exercises are kept")


def run(options: argparse.Namespace) -> int:
    """Build in memory, scan, write, and say what was done."""
    from rich.console import Console

    from grader.handout import folder, leaks, withholding
    from grader.handout.contents import HandoutError, build

    console = Console(highlight=False, markup=False, soft_wrap=True)
    whole, course = course_of(options)
    chosen = course.syllabus(whole) if course else whole
    names = [name for names in options.withhold for name in names.split(",")]
    tasks = withholding.tasks_named(names, chosen)
    place = Path(options.folder)
    try:
        if not options.update:
            folder.check_new(place)
        handout = build(whole, course, _counts(tasks, whole), options.with_pull_requests)
        # Before anything is written: what leaks is not even for a moment in a folder that is shared.
        scan = leaks.scan(handout.files, place, own=chosen.own)
        if scan.found:
            for line in scan.found[:20]:
                console.print(f"LEAK  {line}")
            console.print(f"Nothing was written: {len(scan.found)} things are inside that must not be.")
            return FAULT
        result = folder.update(handout, place) if options.update else folder.write(handout, place)
    except HandoutError as error:
        raise UsageProblem(str(error)) from None
    _tell(console, handout, result, options)
    console.print(scan.said())
    return PASSED


def _counts(tasks: list[str], whole: syllabus.Syllabus) -> dict[str, int]:
    if not tasks:
        return {}
    from grader.judge.grading import count_checks

    counts = count_checks(whole, sorted({whole.task(task)[0].id for task in tasks}))
    return {task: counts[task] for task in tasks}


def _tell(console, handout, result, options) -> None:  # type: ignore[no-untyped-def]
    kinds = Counter(path.partition("/")[0] if "/" in path else "pages" for path in handout.files)
    sizes: Counter[str] = Counter()
    for path, data in handout.files.items():
        sizes[path.partition("/")[0] if "/" in path else "pages"] += len(data)
    console.print(f"{handout.course}: {len(handout.syllabus.milestones)} milestones in {options.folder}", style="bold")
    for kind in sorted(kinds):
        console.print(f"  {kind:10} {kinds[kind]:4} files  {sizes[kind] / 1e6:6.2f} MB")
    console.print(f"  {'together':10} {len(handout.files):4} files  {handout.size / 1e6:6.2f} MB")
    if handout.withheld:
        console.print(f"  withheld   {sum(handout.withheld.values()):4} checks of {', '.join(handout.withheld)}")
    if options.update:
        console.print(
            f"Updated: {len(result.written)} files written, {len(result.removed)} removed, "
            f"{len(result.kept)} left as they were changed here."
        )
    for note in result.notes:
        console.print(f"  note  {note}")
