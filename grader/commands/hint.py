"""`python -m grader hint`: a ladder of three for each task; each call shows the next rung."""

from __future__ import annotations

import argparse
import shlex
import sys

from grader import record, syllabus
from grader.arguments import course as course_file
from grader.arguments import submission, submission_folder, syllabus_of
from grader.exits import PASSED
from grader.progress import Progress


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("name", metavar="MILESTONE[.TASK]", help="m04, or one task of it: m04.2")
    submission(command)
    course_file(command)


def run(options: argparse.Namespace) -> int:
    """Print the next hint of a task, or of a milestone's first unfinished task."""
    from rich.console import Console

    course = syllabus_of(options)
    progress = Progress()
    milestone, named = course.named(options.name)
    if named is not None:
        task = named
    else:
        task = _unfinished(milestone, progress.last(submission_folder(options), milestone.id))
    rung = progress.next_hint(task.id, len(task.hints))
    last = rung == len(task.hints) - 1
    console = Console()
    console.print(
        f"{task.id} {task.title}: hint {rung + 1} of {len(task.hints)}", style="bold", highlight=False, markup=False
    )
    console.print(task.hints[rung], highlight=False, markup=False)
    again = ["python", "-m", "grader", "hint", task.id, *(["--course", options.course] if options.course else [])]
    more = (
        f"That was the last one. The guide has more: {milestone.page}, section {task.id}."
        if last
        else f"The next one: {shlex.join(again)}"
    )
    console.print(more, style="dim", highlight=False, markup=False)
    if progress.trouble:
        print(f"scratchwork: {progress.trouble}", file=sys.stderr)
    return PASSED


def _unfinished(milestone: syllabus.Milestone, last: record.Milestone | None) -> syllabus.Task:
    done = {task.id for task in last.tasks if task.outcome == record.PASSED} if last else set()
    return next((task for task in milestone.tasks if task.id not in done), milestone.tasks[-1])
