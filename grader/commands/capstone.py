"""`python -m grader capstone`: the student's own parts strung together, from raw text to a story."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from grader import syllabus
from grader.arguments import ISOLATION, count, submission, submission_folder
from grader.capstone import keepsake, kept
from grader.capstone.beginning import opened, say_missing
from grader.capstone.kept import FOLDER
from grader.capstone.parts import lacking
from grader.commands import report_paths
from grader.exits import INTERRUPTED, NOT_PASSED, PASSED, USAGE
from grader.judge.errors import UsageProblem
from grader.practice import check_device
from grader.submission import collect

MOST_STEPS = 50_000


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    submission(command)
    stage(command)
    command.add_argument("--steps", type=count, default=500, metavar="N", help="training steps (default: 500)")
    command.add_argument(
        "--minutes", type=count, default=15, metavar="N", help="when training stops at the latest (default: 15)"
    )
    command.add_argument(
        "--prompt", action="append", metavar="TEXT", help="how a story begins, in place of ours (may be given again)"
    )
    command.add_argument(
        "--corpus", metavar="FILE", help="a text of your own to learn from, in UTF-8 (default: the course's stories)"
    )
    command.add_argument(
        "--out", default=FOLDER, metavar="DIR", help=f"where model, loss curve and stories are kept (default: {FOLDER})"
    )


def stage(command: argparse.ArgumentParser) -> None:
    """Add where the student's code runs."""
    command.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where the model computes")
    command.add_argument(
        "--isolation", choices=ISOLATION[:-1], default="auto", help="how your code is shut in (default: auto)"
    )


def run(options: argparse.Namespace) -> int:
    """Say what is missing, or run it all and leave a model and keepsakes; return the exit code."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    course = syllabus.load()
    check_device(options.device)
    if options.steps > MOST_STEPS:
        raise UsageProblem(f"--steps {options.steps} is more than a capstone takes; {MOST_STEPS:,} are the most.")
    folder = Path(options.out)
    parts = collect(submission_folder(options), course)
    if missing := lacking(parts, course):
        return say_missing(console, missing, "The capstone trains a GPT out of your own parts.")
    if reason := unwritable(folder):
        raise UsageProblem(f"{folder} cannot be used for what is kept ({reason}); name another folder with --out.")
    names = (*keepsake.NAMES, kept.WEIGHTS, kept.FACTS)
    report_paths.check_writable([str(folder / name) for name in names])
    from grader.capstone import performance, screen, texts
    from grader.capstone.stage import Stage

    corpus = texts.own(Path(options.corpus)) if options.corpus else texts.stories()
    prompts = tuple(options.prompt) if options.prompt else corpus.prompts
    plan = performance.Plan(corpus, prompts, options.steps, options.minutes, options.device, folder)
    show = screen.Screen(console)
    workers = opened(options.isolation, options.device, show)
    if busy := screen.busy():
        show.say(busy, "yellow")
    try:
        whole = performance.Performance(Stage(workers, parts), plan, show)
        return perform(whole, show, parts.sources)
    finally:
        workers.close()


def perform(whole: Any, show: Any, sources: dict[str, bytes]) -> int:
    """Train and write; whatever happens, say what became of it and what is kept."""
    from grader.capstone import ending

    started, interrupted = time.monotonic(), False
    try:
        whole.train()
        if whole.model is not None:
            whole.write()
    except KeyboardInterrupt:
        interrupted = True
    code = NOT_PASSED if whole.trouble or whole.model is None else PASSED
    if problem := ending.tell(whole, show, sources, time.monotonic() - started, interrupted):
        print(f"scratchwork: {problem} Name another folder with --out.", file=sys.stderr)
        code = USAGE
    return INTERRUPTED if interrupted else code


def unwritable(folder: Path) -> str:
    """Make the folder; return why it cannot be written, or nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "" if os.access(folder, os.W_OK) else "it may not be written"
