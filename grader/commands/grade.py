"""`python -m grader grade`: the sandbox boots while the judge's imports run; then the checks, the report, the files."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import time
from pathlib import Path
from typing import Any

from grader import files, syllabus
from grader.arguments import conditions, judges, submission_folder, syllabus_of
from grader.commands import report_paths, stretching
from grader.commands.onward import onward
from grader.debugging import debugger
from grader.exits import FAULT, NOT_PASSED, PASSED, USAGE
from grader.judge.errors import UsageProblem
from grader.practice import PUBLIC_SEED, Practice, check_device
from grader.submission import NOTEBOOK, NOTEBOOK_BYTES, Submission, collect, read_regular


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    conditions(command)
    judges(command)
    command.add_argument("--all", action="store_true", help="grade unchanged milestones that passed again")
    command.add_argument("--debug", action="store_true", help="no sandbox and no limits, so that breakpoint() works")
    command.add_argument(
        "--stretch", action="store_true", help="measure what passed by its stretch goal, against your own best so far"
    )
    command.add_argument(
        "--official",
        action="store_true",
        help="a run that counts: bubblewrap or refusal, a secret seed, and a report without inputs or values",
    )
    command.add_argument(
        "--json", metavar="FILE", help="write the result record (of an official run: the instructor's, seed included)"
    )
    command.add_argument("--junit", metavar="FILE", help="write JUnit XML")
    command.add_argument("--markdown", metavar="FILE", help="write Markdown")
    command.add_argument("--html", metavar="FILE", help="write a page with pictures of what differs, guide and hints")
    command.add_argument(
        "--cells", metavar="FILE", help="a notebook whose cells are graded in the place of the one milestone's own file"
    )


def run(options: argparse.Namespace) -> int:
    """Grade, report, remember; return the exit code."""
    started = time.perf_counter()
    stretching.check(options)
    course = syllabus_of(options)
    chosen, tasks = select_tasks(course, options.milestones)
    folder = submission_folder(options)
    report_paths.check_writable([options.json, options.junit, options.markdown, options.html])
    check_device(options.device)
    submission = collect(folder, course)
    if options.cells:
        _take_cells(Path(options.cells), submission, chosen, course)
    practice = Practice(options, course, chosen, folder, tasks)
    try:
        practice.boot()  # in the background, while pytest and torch are imported here
        return _graded(practice, options, submission, started)
    finally:
        practice.close()


def _take_cells(
    path: Path, submission: Submission, chosen: list[syllabus.Milestone], course: syllabus.Syllabus
) -> None:
    """Put a notebook's cells into the place of a milestone's module, as somebody has them who has not saved yet."""
    try:
        (milestone,) = chosen
    except ValueError:
        raise UsageProblem("--cells is the notebook of one milestone: name that, and no other.") from None
    try:
        data = read_regular(path, NOTEBOOK_BYTES, own=True)
    except (OSError, ValueError) as error:
        raise UsageProblem(f"--cells {path} cannot be read ({files.reason(error)}).") from None
    # What else is to be said of the milestone's files, such as that two hold work, is said and in nobody's way here.
    problem = submission.problems.pop(milestone.id, "")
    submission.notes = [note for note in submission.notes if f"{milestone.id}{NOTEBOOK}" not in note]
    submission.notes += [problem] if problem and milestone.id not in submission.absent else []
    submission.sources.pop(milestone.id, None)
    submission.absent.discard(milestone.id)
    submission.put(milestone, data, course.max_source_bytes)


def _graded(practice: Practice, options: argparse.Namespace, submission: Submission, started: float) -> int:
    from rich.console import Console

    from grader.reports.terminal.live import Progress as Live

    console = Console()
    live = Live(console)
    practice.prepare()
    try:
        with debugger() if options.debug else contextlib.nullcontext(None if options.official else live) as told:
            result = practice.grade(submission, told, judges=options.judges)
    finally:
        live.stop()
    result.seconds = round(time.perf_counter() - started, 2)
    code = report(result, options, console, practice)
    if options.stretch:
        stretching.measure_all(practice, submission, result, console)
    return code


def report(result: Any, options: argparse.Namespace, console: Any, practice: Practice) -> int:
    """Print the report, write the files asked for, and return the exit code."""
    from grader.reports.machines import json_report, junit, markdown
    from grader.reports.student_view import student_view
    from grader.reports.terminal import report as terminal
    from grader.reports.text_file import ReportError, write_text_report

    shown = student_view(result)

    def again(milestone: str) -> str:
        return rerun(milestone, options, result)

    further = onward(result, practice.course, options, lambda milestone: rerun(milestone, options, result, whole=True))
    terminal.render(
        shown, console, guide_root="exercises", rerun=again, onward=further, tries=tries(practice, options),
        notebooks=practice.notebooks,
    )  # fmt: skip
    code = FAULT if result.grader_at_fault else PASSED if result.passed else NOT_PASSED
    for path, write in (
        (options.json, lambda path: json_report.write(result, path)),
        (options.junit, lambda path: write_text_report(path, junit.render(shown))),
        (options.markdown, lambda path: write_text_report(path, markdown.render(shown))),
        (options.html, lambda path: write_text_report(path, page(shown, practice))),
    ):
        if path is None:
            continue
        try:
            write(path)
        except ReportError as error:
            console.print(f"scratchwork: {error}", highlight=False, markup=False)
            code = max(code, USAGE)
    return code


def page(shown: Any, practice: Practice, *, live: bool = False) -> str:
    """Return the page of a run, as the student may see it."""
    from grader.reports.pages import own_run

    pictures = {task: (calls.title, calls.picture) for task, calls in practice.failures.items() if calls.picture}
    return own_run.render(shown, practice.course, pictures, live=live, notebooks=practice.notebooks)


def select(course: syllabus.Syllabus, names: list[str]) -> list[syllabus.Milestone]:
    """Return the milestones named, each once and in the syllabus's order; all of them for no name."""
    wanted = {course.milestone(name).id for name in names}
    return [milestone for milestone in course.milestones if not wanted or milestone.id in wanted]


def select_tasks(course: syllabus.Syllabus, names: list[str]) -> tuple[list[syllabus.Milestone], set[str] | None]:
    """Return the milestones named, and of which tasks the checks are wanted; None where no name is that of a task."""
    found = [course.named(name) for name in names]
    chosen = [milestone for milestone in course.milestones if not names or milestone in [each for each, _ in found]]
    if all(task is None for _, task in found):
        return chosen, None
    whole = {milestone.id for milestone, task in found if task is None}
    tasks = {task.id for milestone in chosen if milestone.id in whole for task in milestone.tasks}
    return chosen, tasks | {task.id for _, task in found if task is not None}


def tries(practice: Practice, options: argparse.Namespace) -> dict[str, tuple[str, ...]]:
    """Return for each failure that can be tried what opens a prompt for it, and the call where it is short."""
    words = ["--submission", str(practice.folder)] if options.student or options.submission else []
    words += ["--course", options.course] if options.course else []
    return {
        task: (shlex.join(["nox", "-s", "python", "--", task, *words]), *calls.shown)
        for task, calls in practice.failures.items()
    }


def rerun(milestone: str, options: argparse.Namespace, result: Any, *, whole: bool = False) -> str:
    """Return the command that grades a milestone again under the same conditions, or the tasks of it that were."""
    named = [name for name in options.milestones if syllabus.TASK.search(name) and name.lower().startswith(milestone)]
    words = ["nox", "-s", "grade", "--", *((not whole and named) or [milestone])]
    if options.student:
        words += ["--student", options.student]
    elif options.submission:
        words += ["--submission", options.submission]
    for name, default in (
        ("device", "cpu"),
        ("weights", "gpt2-nano"),
        ("weights_llama", "llama-nano"),
        ("prerequisites", "submission"),
        ("course", None),
        ("isolation", "auto"),
    ):
        if getattr(options, name) != default:
            words += [f"--{name.replace('_', '-')}", getattr(options, name)]
    if result.seed != PUBLIC_SEED and not result.secret_seed:
        words += ["--seed", result.seed]
    return shlex.join(words)
