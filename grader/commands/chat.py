"""`python -m grader chat`: say how a story begins, and the model that the capstone has trained goes on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from grader import syllabus
from grader.arguments import submission, submission_folder
from grader.capstone import kept
from grader.capstone.beginning import opened, say_missing
from grader.capstone.parts import ANSWERING, NEEDED, lacking
from grader.commands.capstone import stage
from grader.exits import NOT_PASSED, PASSED
from grader.judge.errors import UsageProblem
from grader.practice import check_device
from grader.submission import collect

LONGEST_LINE = 10_000  # characters of what somebody types


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    submission(command)
    stage(command)
    command.add_argument(
        "--model", default=kept.FOLDER, metavar="DIR", help=f"where the trained model is kept (default: {kept.FOLDER})"
    )
    command.add_argument(
        "--temperature", type=temperature, default=0.6, metavar="T", help="how daring it is, 0 to 5 (default: 0.6)"
    )
    command.add_argument("--prompt", metavar="TEXT", help="let it go on from this once, and end")


def temperature(text: str) -> float:
    """Read a number from 0 to 5."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 5:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 5")
    return value


def run(options: argparse.Namespace) -> int:
    """Bring the model back and let it write until somebody has had enough; return the exit code."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    course = syllabus.load()
    check_device(options.device)
    model = kept.read(Path(options.model))
    parts = collect(submission_folder(options), course)
    needed = NEEDED | (ANSWERING if model.answers else {})
    if missing := lacking(parts, course, needed):
        return say_missing(console, missing, "Your model runs on your own parts.")
    from grader.capstone import screen
    from grader.capstone.chat import Chat
    from grader.capstone.stage import Stage

    show = screen.Screen(console)
    workers = opened(options.isolation, options.device, show)
    try:
        chat = Chat(Stage(workers, parts, needed), model, show, options.device, options.temperature, parts.sources)
        lines = iter([options.prompt]) if options.prompt is not None else typed(show, model)
        return PASSED if chat.answer(lines) else NOT_PASSED
    finally:
        workers.close()


def typed(show: Any, model: kept.Model) -> Any:
    """Say what this is, and yield one line after another, until there are no more."""
    asks = sys.stdin is not None and sys.stdin.isatty()
    if asks:
        known = f" (held-out loss {model.heldout:.2f})" if model.heldout is not None else ""
        show.say(f"A model of {model.step:,} steps{known}, on your own code. It knows nothing but {model.corpus}:")
        begin = f"begin a story ({model.prompt} …), and it goes on"
        if model.answers:
            begin = f"tell it what to do ({model.prompt}), and what to do it with in the same line"
        show.say(f"{begin}. Ctrl-C stops it, q ends.")
    while True:
        if asks:
            print("> ", end="", flush=True)
        try:
            line = sys.stdin.readline() if sys.stdin is not None else ""
        except (KeyboardInterrupt, UnicodeDecodeError) as error:
            if isinstance(error, KeyboardInterrupt):
                print()
                return
            raise UsageProblem("What was typed is not UTF-8 text.") from None
        if not line or line.strip() in ("q", "quit", "exit"):
            return
        if len(line) > LONGEST_LINE:
            show.say(f"That is longer than {LONGEST_LINE:,} characters.")
            continue
        yield line.strip("\n")
