"""`python -m grader serve`: the student's own service of m20 on their own model, and a page to try it on.

Gradio and what else it takes are installed beside the course by `nox -s serve`.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Any

from grader import syllabus
from grader.arguments import count, submission, submission_folder
from grader.capstone import kept
from grader.exits import NOT_PASSED, PASSED
from grader.judge.checkpoints.places import NANO
from grader.judge.errors import UsageProblem
from grader.serving import parts
from grader.submission import collect

PORT, MOST_CLIENTS = 8000, 256
TEMPERATURE = 0.6  # of the page's chat: the small models are best so
PACKAGES = ("fastapi", "uvicorn")


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    submission(command)
    command.add_argument(
        "--model", metavar=f"DIR|{NANO}", help=f"a kept model (default: {kept.FOLDER} where there is one, else {NANO})"
    )
    command.add_argument(
        "--port",
        type=port,
        default=PORT,
        metavar="N",
        help=f"where it listens, on this machine alone (default: {PORT})",
    )
    command.add_argument("--no-page", action="store_true", help="serve the app alone, without the page")
    command.add_argument(
        "--load",
        type=clients,
        metavar="N",
        help="measure it with N clients at once, beside transformers serve, and end",
    )
    command.add_argument("--seed", type=count, metavar="N", help="write the same again, if asked in the same order")
    command.add_argument("--check", action="store_true", help="only look whether all is there that it takes")


def port(text: str) -> int:
    """Read a port's number; 0 stands for any that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def clients(text: str) -> int:
    """Read how many clients there are."""
    if (number := count(text)) > MOST_CLIENTS:
        raise argparse.ArgumentTypeError(f"{number} clients are more than the {MOST_CLIENTS} that are measured at most")
    return number


def run(options: argparse.Namespace) -> int:
    """Say what is missing, or serve until Ctrl-C; return the exit code."""
    from grader.serving import app, model

    course = syllabus.load()
    if parts.MILESTONE not in {milestone.id for milestone in course.milestones}:
        raise UsageProblem("This copy of the course has no m20, whose service this runs.")
    folder = submission_folder(options)
    mine = collect(folder, course)
    chosen = model.chosen(options.model)
    if said := parts.missing(mine, course, chosen is None):
        print(f"scratchwork: {said}", file=sys.stderr)
        return NOT_PASSED
    socket = app.bound(0 if options.load else options.port)
    if options.check:
        socket.close()
        return PASSED
    wanted = PACKAGES if options.no_page else (*PACKAGES, "gradio")
    if lacks := next((name for name in wanted if importlib.util.find_spec(name) is None), ""):
        raise UsageProblem(f"This Python lacks {lacks}; nox -s serve brings what a service takes.")
    if options.load:
        socket.close()
        return measure(options, chosen)
    tabs = [] if options.no_page else parts.tabs(mine, course, folder)
    return serve(options, folder, tabs, chosen, socket)


def serve(options: argparse.Namespace, folder: Path, tabs: list[str], chosen: Any, socket: Any) -> int:
    """Import the student's modules, make their service, and run it."""
    import torch

    from grader import trying
    from grader.safe_text import one_line
    from grader.serving import app, at_home, model
    from grader.serving import tabs as others
    from grader.serving.writing import Writer

    at_home.stay()
    print("Importing your modules and reading the model …", flush=True)
    modules, failed = trying.modules(folder, [*parts.NEEDED, *(name for tab in tabs for name in parts.TABS[tab])])
    if failed:
        name, error = next(iter(failed.items()))
        said = one_line(f"{type(error).__name__}: {error}", 300)
        print(f"scratchwork: {name}.py cannot be imported ({said}); nox -s grade -- {name[:3]}.", file=sys.stderr)
        return NOT_PASSED
    torch.set_num_threads(1)  # in small models threads wait for each other more than they compute
    if options.seed:
        torch.manual_seed(options.seed)
    try:
        served = model.bring(modules, chosen)
        write, own = Writer(served, modules["m07_generation"]), modules[parts.MILESTONE]
        made = own.create_app(write, served.tokenizer, model=served.name, context_length=served.context_length)
        chat = own.create_chat(write, served.tokenizer, temperature=TEMPERATURE)
        shown = others.tabs(tabs, modules, served)
    except Exception as error:  # whatever the student's own code raises; it is shown as Python shows it
        traceback.print_exception(error)
        print(
            "scratchwork: your code raised this while the service was made; nox -s grade finds where.", file=sys.stderr
        )
        return NOT_PASSED
    where = f"http://{app.HOST}:{socket.getsockname()[1]}"
    if not options.no_page:
        from grader.serving import page

        made = app.with_page(made, page.page(served, chat, shown))
        print(f"A page to try it: {where}{app.PAGE}", flush=True)
    print(f"For OpenAI's clients: {where}/v1 (any key, model {served.name}). Ctrl-C ends it.", flush=True)
    app.run(made, socket)
    return PASSED


def measure(options: argparse.Namespace, chosen: Any) -> int:
    """Print what the service and transformers serve do for many clients at once."""
    from grader.serving import beside

    words = ["--submission", str(submission_folder(options)), *(["--model", options.model] if options.model else [])]
    try:
        for line in beside.compare(words, chosen, options.load):
            print(line, flush=True)
    except beside.NotServed as why:
        print(f"scratchwork: your service was not measured: {why}.", file=sys.stderr)
        return NOT_PASSED
    return PASSED
