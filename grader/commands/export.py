"""`python -m grader export`: a class's marks for an LMS, a spreadsheet or a page, or records, out of the gradebook."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from grader import files, syllabus
from grader.arguments import course_of
from grader.classroom.book import standing_json
from grader.classroom.book.standing import ClassResult
from grader.commands import export_records, report_paths
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.reports.marks.doubtful import doubted, zeros
from grader.reports.marks.sheets import Export, Sheet, SheetError, read_sheet
from grader.reports.marks.targets import read_titles
from grader.reports.text_file import ReportError, write_text_report
from grader.safe_text import one_line

FORMATS = ("canvas", "moodle", "moodle-worksheet", "nbgrader", "tasks", "html", "feedback", "json", "record")
WITH_TEMPLATE = ("canvas", "moodle-worksheet")
WITH_COLUMNS = ("canvas", "moodle", "moodle-worksheet")
_SQLITE = b"SQLite format 3\x00"


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("gradebook", metavar="GRADEBOOK", help="the gradebook, or a class's JSON file")
    command.add_argument("--format", choices=FORMATS, required=True)
    command.add_argument("--milestone", action="append", metavar="M", help="only this one (can be given several times)")
    command.add_argument("--template", metavar="FILE", help="what the LMS exported, to be filled in")
    command.add_argument("--columns", metavar="FILE", help="a CSV file milestone,column: which of the LMS's is which")
    command.add_argument("--missing", choices=("blank", "zero"), default="blank", help="the mark for nothing handed in")
    command.add_argument("--course", metavar="FILE", help="the course's TOML file: selection, points, due dates")
    command.add_argument("--student", metavar="ID", help="whose record or feedback (default: everybody's)")
    command.add_argument(
        "--out", metavar="FILE", help="where it goes (default: the screen); of records and feedback the folder"
    )


def run(options: argparse.Namespace) -> int:
    """Read the class, write the export, say what whoever imports it has to know; return the exit code."""
    check(options)
    if options.format == "record":
        return export_records.run(options)
    if options.format != "feedback":
        report_paths.check_writable([options.out])
    try:
        result = chosen(read_class(options), options.milestone)
        if options.format == "feedback":
            return _feedback(options, result)
        template = read_sheet(options.template) if options.template else None
        titles = read_titles(options.columns) if options.columns else None
        export = render(result, options.format, template, titles, options.missing)
        if options.out is None:
            sys.stdout.buffer.write(export.text.encode("utf-8", errors="backslashreplace"))
            sys.stdout.buffer.flush()
        else:
            write_text_report(options.out, export.text)
    except (SheetError, ReportError, standing_json.StandingError) as error:
        raise UsageProblem(str(error)) from error
    for warning in [*export.warnings, *zeros(result), *doubted(result)]:
        print(f"scratchwork: {one_line(warning, 1000)}", file=sys.stderr)
    return PASSED


def _feedback(options: argparse.Namespace, result: ClassResult) -> int:
    from grader.classroom.book.student_records import unknown
    from grader.commands import export_feedback

    known = [standing.student.id for standing in result.standings]
    if options.student is not None and options.student not in known:
        raise UsageProblem(unknown(options.student, known))
    said = export_feedback.write(result, Path(options.out), options.student)
    export_feedback.say([*said, *zeros(result), *doubted(result)])
    return PASSED


def check(options: argparse.Namespace) -> None:
    """Raise UsageProblem for options that do not go together."""
    if options.template and options.format not in WITH_TEMPLATE:
        raise UsageProblem(f"--format {options.format} takes no --template; {' and '.join(WITH_TEMPLATE)} do.")
    if options.columns and options.format not in WITH_COLUMNS:
        raise UsageProblem(f"--format {options.format} takes no --columns; {', '.join(WITH_COLUMNS)} do.")
    if options.missing != "blank" and options.format not in WITH_COLUMNS:
        raise UsageProblem(f"--format {options.format} takes no --missing; {', '.join(WITH_COLUMNS)} do.")
    if options.student is not None and options.format not in ("record", "feedback"):
        raise UsageProblem(f"--format {options.format} takes no --student; record and feedback do.")
    if options.format == "feedback" and options.out is None:
        raise UsageProblem("Everybody's feedback goes into a folder: name it with --out.")
    if options.format == "moodle-worksheet" and not options.template:
        raise UsageProblem("--format moodle-worksheet fills in the worksheet that Moodle gives out: --template FILE.")
    if options.template and options.out and Path(options.template).resolve() == Path(options.out).resolve():
        raise UsageProblem("--out is the template itself; name another file, so that nothing of it is lost.")


def read_class(options: argparse.Namespace) -> ClassResult:
    """Return a class out of a gradebook, or out of a file that `--format json` wrote."""
    path = Path(options.gradebook)
    try:
        with files.open_regular(path, own=True) as file:
            beginning = file.read(len(_SQLITE))
    except (OSError, ValueError) as error:
        raise UsageProblem(f"The gradebook {path} can't be read: {files.reason(error)}.") from error
    if beginning == _SQLITE:
        return from_gradebook(path, options)
    if options.course is not None:
        raise UsageProblem("--course belongs to a gradebook; a class's JSON file holds its course already.")
    return standing_json.read(path)


def from_gradebook(path: Path, options: argparse.Namespace) -> ClassResult:
    """Return a class out of a gradebook, with the points and penalties of a course where one is named."""
    from grader.classroom.book.class_standing import class_result
    from grader.classroom.book.gradebook import Gradebook, GradebookError
    from grader.course import CourseError

    try:
        with Gradebook.open(path) as book:
            return class_result(book, *course_of(options))
    except (GradebookError, CourseError) as error:
        raise UsageProblem(str(error)) from error


def chosen(result: ClassResult, names: list[str] | None) -> ClassResult:
    """Return the class with the milestones named, or with all of them for no name."""
    if not names:
        return result
    course, columns = syllabus.load(), {column.milestone for column in result.columns}
    # What a course has brought is known here by its column alone.
    brought = {name: own for own in columns for name in (own, own[:3], own[4:]) if own.startswith("x")}
    wanted = {brought.get(name) or course.milestone(name).id for name in names}
    if unknown := wanted - columns:
        raise UsageProblem(f"This class has no results for {', '.join(sorted(unknown))}.")
    result.columns = [column for column in result.columns if column.milestone in wanted]
    return result


def render(
    result: ClassResult, format_: str, template: Sheet | None, titles: dict[str, str] | None, missing: str
) -> Export:
    """Return the class in the format asked for."""
    from grader.reports.marks import canvas, moodle, moodle_worksheet, nbgrader_csv, tasks_csv
    from grader.reports.pages import class_report

    if format_ == "moodle-worksheet" and template is not None:
        milestones = [column.milestone for column in result.columns]
        return moodle_worksheet.render(result, template, milestones, titles=titles, missing=missing)
    return {
        "canvas": lambda: canvas.render(result, template=template, titles=titles, missing=missing),
        "moodle": lambda: moodle.render(result, titles=titles, missing=missing),
        "nbgrader": lambda: nbgrader_csv.render(result),
        "tasks": lambda: tasks_csv.render(result),
        "html": lambda: Export(class_report.render(result, datetime.now(UTC))),
        "json": lambda: Export(standing_json.render(result)),
    }[format_]()
