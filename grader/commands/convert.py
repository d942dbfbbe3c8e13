"""`python -m grader convert`: a saved record in another format, without grading again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from grader.arguments import course, syllabus_of
from grader.commands import report_paths
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.record import Record
from grader.reports.machines import json_report
from grader.reports.machines.annotations import Places
from grader.reports.machines.places import definitions
from grader.reports.student_view import student_view
from grader.reports.text_file import ReportError, write_text_report
from grader.submission import SubmissionError, collect

FORMATS = ("json", "junit", "markdown", "html", "gradescope", "github-classroom", "annotations")


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    from grader.reports.machines.gradescope import VISIBILITIES

    command.add_argument("record", metavar="RECORD.json", help="what `grade --json` wrote")
    command.add_argument("out", nargs="?", metavar="FILE", help="where it goes (default: the screen)")
    command.add_argument("--to", choices=FORMATS, required=True, help="the format")
    command.add_argument(
        "--visibility", choices=VISIBILITIES, default="visible", help="when Gradescope's students see the tests"
    )
    command.add_argument(
        "--prefix", default="exercises/", metavar="PATH/", help="what a repository has before the modules' names"
    )
    command.add_argument("--sources", metavar="DIR", help="the modules that were graded, to find definitions in")
    course(command)


def run(options: argparse.Namespace) -> int:
    """Read the record, render it, write it to the file or the screen; return the exit code."""
    report_paths.check_writable([options.out])
    report_paths.check_another(options.out, options.record)
    if options.visibility != "visible" and options.to != "gradescope":
        raise UsageProblem("--visibility belongs to --to gradescope.")
    try:
        record = json_report.read(options.record)
        text = renderer(options)(record)
        if options.out is None:
            sys.stdout.buffer.write(text.encode("utf-8", errors="backslashreplace"))
            sys.stdout.buffer.flush()
        else:
            write_text_report(options.out, text)
    except ReportError as error:
        raise UsageProblem(str(error)) from error
    return PASSED


def renderer(options: argparse.Namespace) -> Callable[[Record], str]:
    """Return what renders a record in the format asked for; each shows the student's view of an official run."""
    from grader.reports.machines import annotations, github_classroom, gradescope, junit, markdown
    from grader.reports.pages import record as record_page

    prefix, lines = options.prefix, places(options)
    return {
        "json": lambda record: json_report.render(student_view(record)),
        "junit": lambda record: junit.render(student_view(record), prefix=prefix),
        "markdown": lambda record: markdown.render(student_view(record)),
        "html": record_page.render,
        "gradescope": lambda record: gradescope.render(record, visibility=options.visibility),
        "github-classroom": lambda record: github_classroom.render(record, prefix=prefix, places=lines),
        "annotations": lambda record: annotations.render(record, prefix=prefix, places=lines),
    }[options.to]


def places(options: argparse.Namespace) -> Places:
    """Return where tasks are defined in the modules of --sources; nothing where no such folder is named."""
    if options.sources is None:
        return {}
    course = syllabus_of(options)
    try:
        return definitions(collect(Path(options.sources), course).sources, course)
    except SubmissionError as error:
        raise UsageProblem(f"--sources {options.sources}: {error}") from error
