"""`python -m grader list`: the syllabus with the student's progress."""

from __future__ import annotations

import argparse
import sys

from grader import record, syllabus
from grader.arguments import course, submission, submission_folder, syllabus_of
from grader.exits import PASSED
from grader.progress import Progress
from grader.reports.findings import untouched
from grader.submission import collect


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    submission(command)
    course(command)


def run(options: argparse.Namespace) -> int:
    """Print one line per milestone."""
    from rich.console import Console

    from grader.reports.terminal.listing import SyllabusRow, render_syllabus

    course = syllabus_of(options)
    folder = submission_folder(options)
    submission, progress = collect(folder, course), Progress()
    rows: list[SyllabusRow] = []
    for milestone in course.milestones:
        last = progress.last(folder, milestone.id)
        unchanged = last is not None and last.sources == submission.digest(course.with_uses(milestone))
        rows.append(
            SyllabusRow(
                milestone.id,
                milestone.title,
                milestone.points,
                last.earned if last is not None else None,
                state(last, unchanged),
                hint(milestone, last, first=last is None and any(row.hint for row in rows)),
            )
        )
    render_syllabus(rows, Console())
    if progress.trouble:
        print(f"scratchwork: {progress.trouble}", file=sys.stderr)
    return PASSED


def hint(milestone: syllabus.Milestone, last: record.Milestone | None, first: bool) -> str:
    """Return what comes next in a milestone, and when it is due; of those not graded only the first says the former."""
    says = "" if first else advice(milestone, last)
    due = f"due {milestone.due}" if milestone.due and not (last is not None and last.passed) else ""
    return "; ".join(part for part in (says, due) if part)


def state(last: record.Milestone | None, unchanged: bool) -> str:
    """Say in a word or two how far a milestone is."""
    if last is None:
        return "not graded"
    if not unchanged:
        return "changed since"
    if last.passed:
        return "passed here" if last.withheld else "passed"
    outcomes = {task.outcome for task in last.tasks}
    if outcomes == {record.WITHHELD}:
        return "checked on handing in"
    return "not started" if untouched(last) else "begun"


def advice(milestone: syllabus.Milestone, last: record.Milestone | None) -> str:
    """Say what comes next in a milestone; nothing for one that passed."""
    if last is not None and last.passed:
        return ""
    done = (record.PASSED, record.WITHHELD)
    finished = {task.id for task in last.tasks if task.outcome in done} if last else set()
    task = next((task for task in milestone.tasks if task.id not in finished), None)
    if task is None:
        return "checked on handing in"
    return f"next: {task.id} {task.title}"
