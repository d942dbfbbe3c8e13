"""The command line: parse, call, exit code. 0 all selected passed, 1 not all passed, 2 wrong usage, 3 grader fault.

Each command is a module of `grader.commands` with `arguments` and `run`; only that of the command named is imported.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from . import syllabus
from .exits import FAULT, INTERRUPTED, USAGE
from .sandbox.errors import SandboxError
from .submission import SubmissionError

COMMANDS = {
    "grade": "grade milestones and say what to mend",
    "watch": "grade again what a save touched, until q is pressed",
    "list": "show the syllabus with your progress",
    "hint": "show the next hint for a task (three for each, none of them the code)",
    "shell": "open a Python prompt with your modules imported",
    "notebook": "write a milestone as a notebook, to work in instead of the file",
    "reset": "bring a stub back, and keep beside it what stood there",
    "capstone": "train a GPT out of your own parts and let it write a story",
    "chat": "begin a story, and the model of your capstone goes on",
    "ask": "ask the course's guides, by your own retriever, prompts and citations",
    "litgpt": "write your Llama as a checkpoint of LitGPT's",
    "serve": "run your own service, with a page to talk to your model",
    "compare": "show your own code beside the reference solution, once it has passed",
    "verify": "check that solutions earn full marks and stubs nothing",
    "replay": "grade again from a result record, and compare the outcomes",
    "classroom": "grade a whole class into a gradebook",
    "marks": "adjust, excuse, extend, release: what is decided after grading",
    "export": "write a class's marks for an LMS, a spreadsheet or a page",
    "similarity": "report submissions that are suspiciously alike",
    "pull-request": "grade what a pull request changes, nothing checked out",
    "gradescope": "write the autograder's zip for Gradescope",
    "convert": "write a saved record in another format",
    "handout": "write the students' repository, without solutions",
    "milestone": "write the empty files of a new milestone",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    from .judge.errors import GradingError, UsageProblem

    try:
        code: int = importlib.import_module(module_of(options.command)).run(options)
        return code
    except (syllabus.SyllabusError, SubmissionError, SandboxError, UsageProblem) as error:
        from .safe_text import one_line

        print(f"scratchwork: {one_line(str(error), 4000)}", file=sys.stderr)  # it may quote a file of anybody's
        return FAULT if isinstance(error, SandboxError) and options.isolation == "auto" else USAGE
    except GradingError as error:
        from .safe_text import one_line, without_ci_commands

        reason = without_ci_commands(one_line(str(error)))  # it may quote a submission
        print(f"scratchwork: {reason}; this is a fault of the grader.", file=sys.stderr)
        return FAULT
    except KeyboardInterrupt:
        print("\nscratchwork: interrupted; nothing was saved.", file=sys.stderr)
        return INTERRUPTED


def module_of(command: str) -> str:
    """Return the name of the module that runs a command."""
    return f"grader.commands.{'listing' if command == 'list' else command.replace('-', '_')}"


class Commands(argparse._SubParsersAction):  # type: ignore[type-arg]
    """The commands; those of instructors, whose modules a student's copy lacks, are neither listed nor run there."""

    def add_parser(self, name: str, **options: Any) -> Any:
        """Add a command; one that is not here gets no line in the help."""
        if not is_here(name):
            options.pop("help", None)
        return super().add_parser(name, **options)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Take the command that was named, unless it is not here."""
        name = values[0]
        if name in self.choices:
            if not is_here(name):
                parser.exit(USAGE, f"scratchwork: {name} is for instructors; this is a student's copy of the course.\n")
            importlib.import_module(module_of(name)).arguments(self.choices[name])
        super().__call__(parser, namespace, values, option_string)


def is_here(command: str) -> bool:
    """Whether this copy of the course has a command."""
    return importlib.util.find_spec(module_of(command)) is not None


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the message and where to read more; exit with code 2."""
        self.exit(USAGE, f"scratchwork: {message} ({self.prog} --help lists what there is).\n")


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = Parser(prog="python -m grader", description="Grade a submission of the Scratchwork course.")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=Parser, action=Commands
    )
    for name, says in COMMANDS.items():
        commands.add_parser(name, help=says)
    return top
