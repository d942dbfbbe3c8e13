"""`python -m grader replay RECORD.json`: grade again with the same seed and settings, and compare check by check."""

from __future__ import annotations

import argparse
from typing import Any

from grader import own_rooms, record, replaying
from grader.arguments import ISOLATION, course, course_of
from grader.exits import FAULT, NOT_PASSED, PASSED, USAGE
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import environment, grader_version, judging_version
from grader.practice import check_device
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError

MOST_LINES = 20  # differences that are printed


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("record", metavar="RECORD.json", help="what `grade --json` or `export` wrote")
    command.add_argument("--submission", metavar="DIR", help="where the sources lie (default: exercises)")
    course(command)
    command.add_argument(
        "--isolation",
        choices=ISOLATION[:-1],
        default="auto",
        help="auto: the record's own level, or the strongest for other people's code",
    )
    command.add_argument("--device", choices=("cpu", "cuda", "mps"), help="needed where the record's is not the cpu")
    command.add_argument("--weights", metavar="gpt2|DIR", help="needed where the record's are not gpt2-nano")
    command.add_argument("--weights-llama", metavar="DIR", help="needed where the record's are not llama-nano")
    command.add_argument("--prerequisites", choices=("submission", "solutions"), help="needed where it was solutions")
    command.add_argument("--json", metavar="FILE", help="write the new result record")


def run(options: argparse.Namespace) -> int:
    """Print whether the outcomes are the same; return 0 when they are, 1 when they differ, 2 for an unusable record."""
    from rich.console import Console

    from grader.commands import report_paths
    from grader.judge.oracles import Weights
    from grader.reports.machines import json_report
    from grader.reports.text_file import ReportError
    from grader.safe_text import one_line

    console = Console(highlight=False, markup=False, soft_wrap=True)
    report_paths.check_writable([options.json])
    report_paths.check_another(options.json, options.record)
    whole, named = course_of(options)
    course = named.syllabus(whole) if named else whole
    try:
        old = json_report.read(options.record)
    except ReportError as error:
        raise UsageProblem(str(error)) from None
    replaying.milestones(old, course)
    asked = replaying.wanted(old, options)
    seed, vouched = replaying.seed_of(old)
    lots = replaying.lots(old, course, whole, asked.submission, asked.prerequisites)
    weights = Weights(asked.weights, asked.weights_llama)
    weights.check()
    check_device(asked.device)
    workers = _workers(replaying.level(old, options.isolation), asked.device, console.print)
    workers.checkpoints = weights.to_mount(workers.level)
    for line in [*levels.gap_notes(workers.level), *changed_since(old, asked, workers.level, own_rooms.packed(course))]:
        console.print(one_line(line, 600))
    if old.official and not vouched:
        console.print("The seed is the record's own word, so this shows that its outcomes follow, not that it counts.")
    try:
        workers.wait()
        new = replaying.grade_again(old, lots, asked, seed, vouched, workers, weights)
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


def _workers(wanted: str, device: str, note: Any) -> Any:
    """Return workers at the level wanted."""
    try:
        return levels.choose(wanted, device, note)
    except SandboxError as error:
        raise UsageProblem(f"The record cannot be replayed as it was: {error}; --isolation names another.") from None


def changed_since(old: record.Record, asked: replaying.Wanted, level: str, rooms: own_rooms.Rooms) -> list[str]:
    """Return one sentence for each thing that is not as it was, and that could be why outcomes differ."""
    # A gradebook knows its grader by what decides outcomes; the rest of it may have changed.
    grader = judging_version(rooms) if old.grader == judging_version(rooms) else grader_version(rooms)
    pairs = (
        ("grader", old.grader, grader),
        ("environment", old.environment or "not recorded", environment()),
        ("isolation level", old.isolation, level),
        ("device", old.device, asked.device),
        ("checkpoint", old.weights, asked.weights),
        ("Llama checkpoint", old.weights_llama, asked.weights_llama),
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
