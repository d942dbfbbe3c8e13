"""`python -m grader similarity`: a report of submissions that are suspiciously alike."""

from __future__ import annotations

import argparse
from pathlib import Path

from grader import syllabus
from grader.arguments import course as course_file
from grader.arguments import course_of
from grader.classroom.book.standing import Student
from grader.commands import report_paths
from grader.commands.grade import select
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.practice import REPOSITORY
from grader.submission import Submission


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("submissions", nargs="*", metavar="SUBMISSIONS", help="folders, archives, exports")
    command.add_argument(
        "--export", action="append", default=[], metavar="PATH", help="an LMS's export that is believed"
    )
    command.add_argument(
        "--allow-local", action="store_true", help="lists may name paths on this machine and ssh addresses"
    )
    command.add_argument("--roster", metavar="CSV", help="who belongs to the class")
    command.add_argument(
        "--earlier", action="append", default=[], metavar="PATH",
        help="an earlier year's class, compared with this one and not with itself (can be given several times)",
    )  # fmt: skip
    command.add_argument("--milestone", action="append", metavar="M", help="only this one (can be given several times)")
    course_file(command)
    command.add_argument("--threshold", type=_share, default=None, metavar="SHARE", help="from which likeness on")
    command.add_argument("--reference", default="solutions", metavar="DIR", help="the reference solutions")
    command.add_argument("--out", default="similarity.html", metavar="FILE", help="default: similarity.html")


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 0.6 or 60%")
    return share


def run(options: argparse.Namespace) -> int:
    """Take the class in, compare, write the page; return the exit code, which says nothing about what was found."""
    from rich.console import Console

    from grader.reports.pages import similarity as similarity_page
    from grader.reports.text_file import ReportError, write_text_report
    from grader.similarity import pairs as similarity

    if not (options.submissions or options.export):
        raise UsageProblem("similarity wants what was handed in: folders, archives, or a list of repositories.")
    report_paths.check_writable([options.out])
    whole, course = course_of(options)
    chosen = select(course.syllabus(whole) if course else whole, options.milestone or [])
    handed_in, notes = take_in(options, whole)
    if len(handed_in) < (1 if options.earlier else 2):
        raise UsageProblem("There are fewer than two submissions, so there is nothing to compare.")
    threshold = options.threshold or similarity.THRESHOLD
    reference = Path(options.reference)
    if not reference.is_dir():
        notes.append(f"There is no folder {reference}, so nothing was compared with the reference solutions.")
    earlier = take_in_earlier(options.earlier, whole, notes)
    findings = similarity.find(
        handed_in, chosen, REPOSITORY / "exercises", reference if reference.is_dir() else None, threshold, earlier
    )
    try:
        write_text_report(options.out, similarity_page.render(findings, threshold, notes))
    except ReportError as error:
        raise UsageProblem(str(error)) from error
    before = f" with each other and {len(earlier)} earlier ones" if earlier else ""
    pairs = sum(len(each.pairs) for each in findings)
    like = sum(len(each.references) for each in findings)
    Console(highlight=False, markup=False, soft_wrap=True).print(
        f"{len(handed_in)} submissions compared{before}: {pairs} pairs are alike, "
        f"{like} modules are like the solution. "
        f"Likeness is no proof; the passages are in {options.out}."
    )
    return PASSED


def take_in(
    options: argparse.Namespace, course: syllabus.Syllabus
) -> tuple[list[tuple[Student, Submission]], list[str]]:
    """Return the submissions and what there is to say about taking them in; a class is taken in as for grading."""
    from grader.classroom.intake.collecting import CollectingError, collect_class
    from grader.classroom.intake.roster import RosterError, load_roster

    try:
        roster = load_roster(Path(options.roster)) if options.roster else None
        collected = collect_class(
            options.submissions, course, roster, exports=options.export, allow_local=options.allow_local
        )
    except (CollectingError, RosterError) as error:
        raise UsageProblem(str(error)) from error
    notes = [*collected.notes, *collected.unclear]
    notes += [f"{each.origin}: {each.problem}" for each in collected.handed_in if each.problem]
    return [(each.student, each.submission) for each in collected.handed_in if not each.problem], notes


def take_in_earlier(paths: list[str], course: syllabus.Syllabus, notes: list[str]) -> list[tuple[Student, Submission]]:
    """Return earlier years' submissions; whose each is, is named with the archive that it is from."""
    from grader.classroom.intake.collecting import CollectingError, collect_class

    found = []
    for path in paths:
        try:
            collected = collect_class([], course, exports=[path])
        except CollectingError as error:
            raise UsageProblem(str(error)) from error
        year = Path(path).name
        notes += [f"{year}: {note}" for note in (*collected.notes, *collected.unclear)]
        for each in collected.handed_in:
            if not each.problem:
                found.append((Student(f"{each.student.id} ({year})", each.student.name), each.submission))
    return found
