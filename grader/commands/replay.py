"""`python -m grader replay RECORD.json`: grade again with the same seed and settings, and compare check by check."""

from __future__ import annotations

import argparse
from typing import Any

from grader import record, replaying, syllabus
from grader.arguments import ISOLATION, course, syllabus_of
from grader.cli import FAULT, NOT_PASSED, PASSED, USAGE
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import environment, grader_version, judging_version
from grader.practice import check_device, checkpoint
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError

MOST_LINES = 20  # differences that are printed


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("record", metavar="RECORD.json", help="what `grade --json` or `export` wrote")
    command.add_argument("--submission", metavar="DIR", help="where the sources lie now (default: as in the record)")
    course(command)
    command.add_argument("--isolation", choices=ISOLATION[:-1], default="auto", help="auto: the record's own level")
    command.add_argument("--json", metavar="FILE", help="write the new result record")


def run(options: argparse.Namespace) -> int:
    """Print whether the outcomes are the same; return 0 when they are, 1 when they differ, 2 for an unusable record."""
    from rich.console import Console

    from grader.commands import report_paths
    from grader.judge.oracles import Weights
    from grader.reports import json_report
    from grader.reports.safe_text import one_line
    from grader.reports.text_file import ReportError

    console = Console(highlight=False, markup=False, soft_wrap=True)
    report_paths.check_writable([options.json])
    course = syllabus_of(options)
    try:
        old = json_report.read(options.record)
    except ReportError as error:
        raise UsageProblem(str(error)) from None
    seed = replaying.seed_of(old)
    lots = replaying.lots(old, course, syllabus.load(), options.submission or old.submission)
    weights = Weights(old.weights)
    if old.weights != "gpt2-nano":
        weights.check()
    check_device(old.device)
    workers = _workers(options.isolation, old, console.print)
    workers.checkpoint = checkpoint(weights, workers.level)
    for line in changed_since(old, workers.level):
        console.print(line)
    try:
        workers.wait()
        new = replaying.grade_again(old, lots, seed, workers, weights)
    finally:
        workers.close()
    found = differences(old, new)
    for line in found[:MOST_LINES]:
        console.print(one_line(line, 300))
    if len(found) > MOST_LINES:
        console.print(f"… and {len(found) - MOST_LINES} more.")
    checks = sum(len(task.checks) for milestone in old.milestones for task in milestone.tasks)
    console.print(
        f"The outcomes differ from the record's in {len(found)} of {checks} checks."
        if found
        else f"All {checks} checks ended as in the record, and earn {_points(old, new)}."
    )
    if options.json:
        try:
            json_report.write(new, options.json)
        except ReportError as error:
            console.print(f"scratchwork: {error}")
            return USAGE
    return FAULT if new.grader_at_fault and not old.grader_at_fault else NOT_PASSED if found else PASSED


def _points(old: record.Record, new: record.Record) -> str:
    """Say the points: the syllabus may give others today."""
    now, then = (f"{one.earned:g} of {one.possible:g} points" for one in (new, old))
    return f"the same {now}" if now == then else f"{now}; in the record it was {then}"


def _workers(wanted: str, old: record.Record, note: Any) -> Any:
    """Return workers at the record's own level, or at the one asked for; inline runs are replayed in a sandbox."""
    if wanted == "auto" and old.isolation != "inline":
        wanted = old.isolation
    try:
        return levels.choose(wanted, old.device, note)
    except SandboxError as error:
        raise UsageProblem(f"The record cannot be replayed as it was: {error}; --isolation names another.") from None


def changed_since(old: record.Record, level: str) -> list[str]:
    """Return one sentence for each thing that is not as it was, and that could be why outcomes differ."""
    # A gradebook knows its grader by what decides outcomes; the rest of it may have changed.
    grader = judging_version() if old.grader == judging_version() else grader_version()
    pairs = (
        ("grader", old.grader, grader),
        ("environment", old.environment or "not recorded", environment()),
        ("isolation level", old.isolation, level),
    )
    return [f"The {name} is another: {then} in the record, {now} here." for name, then, now in pairs if then != now]


def differences(old: record.Record, new: record.Record) -> list[str]:
    """Return a line for each check whose outcome is not the recorded one, in the order of the syllabus."""
    before, after = _outcomes(old), _outcomes(new)
    lines = []
    for place in [*before, *(place for place in after if place not in before)]:
        then, now = before.get(place, "no such check"), after.get(place, "no such check")
        if then != now:
            lines.append(f"{' '.join(place)}: {then} in the record, {now} now")
    return lines


def _outcomes(result: record.Record) -> dict[tuple[str, str], str]:
    return {
        (task.id, check.id): check.outcome
        for milestone in result.milestones
        for task in milestone.tasks
        for check in task.checks
    }
