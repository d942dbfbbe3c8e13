"""`python -m grader grade`: the sandbox boots while the judge's imports run; then the checks, the report, the files."""

from __future__ import annotations

import argparse
import os
import secrets
import shlex
import time
from pathlib import Path
from typing import Any

from grader import syllabus
from grader.cli import FAULT, NOT_PASSED, PASSED, USAGE, submission_folder
from grader.commands import report_paths
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import grader_version
from grader.progress import Progress, key
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError
from grader.submission import Submission, collect

PUBLIC_SEED = "0"
SECRET_SEED = "SCRATCHWORK_SECRET_SEED"
REPOSITORY = Path(__file__).resolve().parents[2]


def run(options: argparse.Namespace) -> int:
    """Grade, report, remember; return the exit code."""
    started = time.perf_counter()
    course = syllabus.load()
    chosen = select(course, options.milestones)
    folder = submission_folder(options)
    report_paths.check_writable([options.json, options.junit, options.markdown])
    _check_device(options.device)
    submission = collect(folder, course)
    notes: list[str] = []
    workers = _workers(options, notes)
    try:
        workers.boot()  # in the background, while pytest and torch are imported here
        return _graded(options, course, chosen, folder, submission, workers, notes, started)
    finally:
        workers.close()


def _graded(
    options: argparse.Namespace,
    course: syllabus.Syllabus,
    chosen: list[syllabus.Milestone],
    folder: Path,
    submission: Submission,
    workers: Any,
    notes: list[str],
    started: float,
) -> int:
    from rich.console import Console

    from grader import record
    from grader.judge.oracles import Weights
    from grader.judge.run import Options
    from grader.reports.live import Progress as Live

    weights = Weights(options.weights)
    if options.weights != "gpt2-nano":
        weights.check()
    seed, secret = _seed(options.seed)
    console = Console()
    live = Live(console)
    progress = Progress()
    if options.prerequisites == "solutions":
        submission = with_solutions(submission, course, chosen)
    keys = {
        milestone.id: key(
            submission, course.with_uses(milestone), grader_version(),
            seed, options.device, options.weights, options.prerequisites, workers.level,
        )
        for milestone in chosen
    }  # fmt: skip
    reused = {}
    if not (options.all or options.debug or secret):
        for milestone in chosen:
            if found := progress.passed(folder, milestone.id, keys[milestone.id]):
                reused[milestone.id] = found
    todo = [milestone.id for milestone in chosen if milestone.id not in reused]
    result = record.Record(
        grader=grader_version(), submission=submission.folder, seed=seed, secret_seed=secret, device=options.device,
        isolation=workers.level, weights=options.weights, prerequisites=options.prerequisites,
    )  # fmt: skip
    if todo:
        from grader.judge.grading import GradingError, grade

        settings = Options(todo, None, options.prerequisites, options.device, seed, secret, options.debug)
        workers = _started(workers, options, notes)
        try:
            result = grade(settings, course, submission, workers, weights, None if options.debug else live)
        except GradingError as error:
            console.print(f"scratchwork: {error}; this is a fault of the grader.", highlight=False, markup=False)
            return FAULT
        finally:
            live.stop()
            workers.close()
        if not options.debug:
            progress.remember(folder, result.milestones, keys)
    fresh = {milestone.id: milestone for milestone in result.milestones}
    result.milestones = [fresh.get(milestone.id) or reused[milestone.id] for milestone in chosen]
    result.seconds = round(time.perf_counter() - started, 2)
    result.notes = [*notes, *(f"{gap[:1].upper()}{gap[1:]}." for gap in levels.GAPS[workers.level])]
    result.notes += [progress.trouble] if progress.trouble else []
    return _report(result, options, console)


def _report(result: Any, options: argparse.Namespace, console: Any) -> int:
    from grader.reports import json_report, junit, markdown, terminal
    from grader.reports.text_file import ReportError, write_text_report

    terminal.render(result, console, guide_root="exercises", rerun=lambda milestone: rerun(milestone, options, result))
    code = FAULT if result.grader_at_fault else PASSED if result.passed else NOT_PASSED
    for path, write in (
        (options.json, lambda path: json_report.write(result, path)),
        (options.junit, lambda path: write_text_report(path, junit.render(result))),
        (options.markdown, lambda path: write_text_report(path, markdown.render(result))),
    ):
        if path is None:
            continue
        try:
            write(path)
        except ReportError as error:
            console.print(f"scratchwork: {error}", highlight=False, markup=False)
            code = max(code, USAGE)
    return code


def select(course: syllabus.Syllabus, names: list[str]) -> list[syllabus.Milestone]:
    """Return the milestones named, each once and in the syllabus's order; all of them for no name."""
    wanted = {course.milestone(name).id for name in names}
    return [milestone for milestone in course.milestones if not wanted or milestone.id in wanted]


def with_solutions(
    submission: Submission,
    course: syllabus.Syllabus,
    chosen: list[syllabus.Milestone],
    folder: Path = REPOSITORY / "solutions",
) -> Submission:
    """Take what the chosen milestones are made of from the solutions, themselves left as they are."""
    if not folder.is_dir():
        raise UsageProblem(
            "--prerequisites solutions needs the folder solutions/, which this copy of the course lacks."
        )
    names = {milestone.id for milestone in chosen}
    needed = [name for milestone in chosen for name in course.with_needs(milestone) if name not in names]
    return submission.replaced(needed, collect(folder, course))


def rerun(milestone: str, options: argparse.Namespace, result: Any) -> str:
    """Return the command that grades a milestone again under the same conditions."""
    words = ["nox", "-s", "grade", "--", milestone]
    if options.student:
        words += ["--student", options.student]
    elif options.submission:
        words += ["--submission", options.submission]
    for name, default in (
        ("device", "cpu"),
        ("weights", "gpt2-nano"),
        ("prerequisites", "submission"),
        ("isolation", "auto"),
    ):
        if getattr(options, name) != default:
            words += [f"--{name}", getattr(options, name)]
    if result.seed != PUBLIC_SEED and not result.secret_seed:
        words += ["--seed", result.seed]
    return shlex.join(words)


def _workers(options: argparse.Namespace, notes: list[str]) -> Any:
    if options.debug:
        if options.isolation not in ("auto", "inline"):
            raise UsageProblem(f"--debug runs inline; it cannot be combined with --isolation {options.isolation}.")
        return levels.workers("inline", options.device)
    if options.isolation == "inline":
        return levels.workers("inline", options.device, capture_inline=True)
    return levels.choose(options.isolation, options.device, notes.append)


def _started(workers: Any, options: argparse.Namespace, notes: list[str]) -> Any:
    """Wait until the sandbox stands; under `auto`, take the next level when it does not, and say so."""
    while True:
        try:
            workers.wait()
            return workers
        except SandboxError as error:
            weaker = levels.fall_back(workers.level, options.device) if options.isolation == "auto" else None
            workers.close()
            if weaker is None:
                raise
            notes.append(f"The isolation level {workers.level} does not work here: {error}.")
            workers = weaker


def _check_device(device: str) -> None:
    """Raise UsageProblem where this machine's torch does not have the device, before any student is blamed for it."""
    if device == "cpu":
        return
    import torch

    backend = torch.cuda if device == "cuda" else torch.backends.mps
    if not backend.is_available():
        raise UsageProblem(f"--device {device} needs a device that torch finds on this machine, and it finds none.")


def _seed(asked: str | None) -> tuple[str, bool]:
    """Return the run's seed and whether it is secret."""
    secret = os.environ.get(SECRET_SEED)
    if secret:
        if asked is not None:
            raise UsageProblem(f"--seed cannot be combined with a secret seed in {SECRET_SEED}.")
        return secret, True
    if asked is None:
        return PUBLIC_SEED, False
    if asked == "random":
        return str(secrets.randbits(32)), False
    if not asked.isdecimal() or len(asked) > 30:
        raise UsageProblem(f"--seed {asked!r} is neither a whole number nor the word random.")
    return str(int(asked)), False
