"""`python -m grader capstone`: the student's own parts strung together, from raw text to a story, and on from there."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from grader import syllabus
from grader.arguments import ISOLATION, count, submission, submission_folder
from grader.capstone import keepsake, kept, programme, sizes, ways
from grader.capstone.beginning import opened, say_missing
from grader.capstone.kept import FOLDER
from grader.capstone.parts import lacking
from grader.commands import report_paths
from grader.judge.errors import UsageProblem
from grader.practice import check_device
from grader.submission import collect

MOST_STEPS = 50_000


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    submission(command)
    stage(command)
    command.add_argument("--steps", type=count, metavar="N", help="training steps of a stage (default: 500 on a text, "
                         "300 on instructions, 100 on pairs and after pruning)")  # fmt: skip
    command.add_argument(
        "--minutes",
        type=count,
        default=15,
        metavar="N",
        help="when a stage's training stops at the latest (default: 15)",
    )
    command.add_argument(
        "--prompt", action="append", metavar="TEXT", help="how a story begins, in place of ours (may be given again)"
    )
    command.add_argument(
        "--corpus", metavar="FILE", help="a text of your own to learn from, in UTF-8 (default: the course's stories)"
    )
    for name, size in sizes.DEFAULTS.items():
        command.add_argument(sizes.option(name), type=count, metavar="N", help=f"of a new model (default: {size:,})")
    command.add_argument(
        "--from", dest="begin", metavar="DIR", help="begin with the model that is kept there, and learn no text"
    )
    command.add_argument(
        "--instructions", nargs="?", const="", metavar="FILE",
        help="fine-tune it by your m10: a JSON object with instruction, input and output a line "
        "(without FILE: the course's)",
    )  # fmt: skip
    command.add_argument(
        "--preferences", nargs="?", const="", metavar="FILE",
        help="align it by your m12: a JSON object with prompt, chosen and rejected a line (without FILE: the course's)",
    )  # fmt: skip
    command.add_argument(
        "--smaller", action="store_true",
        help="make it smaller by your m13 and m14, what there is of them: a table of loss, bytes and speed",
    )  # fmt: skip
    command.add_argument(
        "--out", metavar="DIR",
        help=f"where what the first stage made is kept (default: {FOLDER}, and below a folder named by --from); "
        "a later stage has a folder below the one before",
    )  # fmt: skip


def stage(command: argparse.ArgumentParser) -> None:
    """Add where the student's code runs."""
    command.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where the model computes")
    command.add_argument(
        "--isolation", choices=ISOLATION[:-1], default="auto", help="how your code is shut in (default: auto)"
    )


def run(options: argparse.Namespace) -> int:
    """Say what is missing, or run it all and leave models and keepsakes; return the exit code."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    course = syllabus.load()
    check_device(options.device)
    if options.steps and options.steps > MOST_STEPS:
        raise UsageProblem(f"--steps {options.steps} is more than a capstone takes; {MOST_STEPS:,} are the most.")
    begin = kept.read(Path(options.begin)) if options.begin else None
    programme.check(options, begin)
    parts = collect(submission_folder(options), course)
    needed = programme.needed(options, begin, parts, course)
    if missing := lacking(parts, course, needed):
        return say_missing(console, missing, "The capstone trains a GPT out of your own parts.")
    stages = programme.stages(options, begin, ways.written(parts, course))
    for part in stages:
        check_folder(part.folder, options.begin)
    from grader.capstone import screen
    from grader.capstone.stage import Stage

    show = screen.Screen(console)
    workers = opened(options.isolation, options.device, show)
    if busy := screen.busy():
        show.say(busy, "yellow")
    try:
        return programme.play(stages, begin, Stage(workers, parts, needed), show, parts.sources, options)
    finally:
        workers.close()


def check_folder(folder: Path, begin: str | None) -> None:
    """Make a folder for what is kept. Raises UsageProblem where that cannot be, or where it is the model's own."""
    if begin and folder.exists() and os.path.samefile(folder, begin):
        raise UsageProblem(f"--out {folder} is the model's own folder; name another, so that both are kept.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK) else "it may not be written"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    if reason:
        raise UsageProblem(f"{folder} cannot be used for what is kept ({reason}); name another folder with --out.")
    names = {*kept.NAMES, *keepsake.Run().names, keepsake.ANSWERS, keepsake.TABLE}
    report_paths.check_writable([str(folder / name) for name in sorted(names)])
