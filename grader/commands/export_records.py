"""`export --format record`: a student's result record, or everybody's, as `grade --json` writes one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grader.arguments import syllabus_of
from grader.classroom.book import student_records
from grader.classroom.book.gradebook import Gradebook, GradebookError
from grader.commands import report_paths
from grader.commands.grade import select
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.record import Record
from grader.reports.machines import json_report
from grader.reports.text_file import ReportError
from grader.safe_text import one_line


def run(options: argparse.Namespace) -> int:
    """Write one record to a file or the screen, or everybody's into a folder; return the exit code."""
    chosen = select(syllabus_of(options), options.milestone or [])
    if options.student is None and options.out is None:
        raise UsageProblem("Everybody's records go into a folder: name it with --out, or one student with --student.")
    if options.student is not None:
        report_paths.check_writable([options.out])
    try:
        with Gradebook.open(options.gradebook) as book:
            made, without = student_records.records(book, chosen)
    except GradebookError as error:
        raise UsageProblem(str(error)) from None
    try:
        if options.student is None:
            return _everybodys(made, without, Path(options.out))
        _one(made, without, options.student, options.out)
    except ReportError as error:
        raise UsageProblem(str(error)) from None
    except ValueError as error:  # of one that goes to the screen
        raise UsageProblem(f"The gradebook's results make no record: {error}.") from None
    return PASSED


def _one(made: dict[str, Record], without: dict[str, str], student: str, out: str | None) -> None:
    if student in without:
        raise UsageProblem(without[student])
    if student not in made:
        raise UsageProblem(student_records.unknown(student, [*made, *without]))
    if out is not None:
        json_report.write(made[student], out)
    else:
        sys.stdout.buffer.write(json_report.render(made[student]).encode("utf-8", errors="backslashreplace"))
        sys.stdout.buffer.flush()


def _everybodys(made: dict[str, Record], without: dict[str, str], folder: Path) -> int:
    if not made:
        raise UsageProblem("There is no result in the gradebook to make a record of.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageProblem(f"The records can't be written into {folder}: {reason}.") from None
    for student, name in student_records.file_names(made).items():
        json_report.write(made[student], folder / name)
    for reason in without.values():
        print(f"scratchwork: {one_line(reason, 1000)}", file=sys.stderr)
    return PASSED
