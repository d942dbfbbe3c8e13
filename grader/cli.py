"""The command line: parse, call, exit code. 0 all selected passed, 1 not all passed, 2 wrong usage, 3 grader fault."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import syllabus
from .sandbox.errors import SandboxError
from .submission import SubmissionError

ISOLATION = ("auto", "bubblewrap", "user", "process", "inline")
PASSED, NOT_PASSED, USAGE, FAULT, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    from .judge.errors import UsageProblem

    try:
        code: int = importlib.import_module(module_of(options.command)).run(options)
        return code
    except (syllabus.SyllabusError, SubmissionError, SandboxError, UsageProblem) as error:
        print(f"scratchwork: {error}", file=sys.stderr)
        return FAULT if isinstance(error, SandboxError) and options.isolation == "auto" else USAGE
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
        if importlib.util.find_spec(module_of(name)) is None:
            options.pop("help", None)
        return super().add_parser(name, **options)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Take the command that was named, unless it is not here."""
        if values[0] in self.choices and importlib.util.find_spec(module_of(values[0])) is None:
            parser.exit(
                USAGE, f"scratchwork: {values[0]} is for instructors; this is a student's copy of the course.\n"
            )
        super().__call__(parser, namespace, values, option_string)


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
    _grade(commands.add_parser("grade", help="grade milestones and say what to mend"))
    _watch(commands.add_parser("watch", help="grade again what a save touched, until q is pressed"))
    _capstone(commands.add_parser("capstone", help="train a GPT out of your own parts and let it write a story"))
    listing = commands.add_parser("list", help="show the syllabus with your progress")
    _submission(listing)
    _course(listing)
    verify = commands.add_parser("verify", help="check that solutions earn full marks and stubs nothing")
    verify.add_argument("milestones", nargs="*", metavar="MILESTONE")
    verify.add_argument("--reference", default="solutions", metavar="DIR", help="the folder with the reference modules")
    verify.add_argument("--isolation", choices=ISOLATION, default="auto")
    _course(verify)
    _handout(commands.add_parser("handout", help="write the students' repository, without solutions"))
    hint = commands.add_parser("hint", help="show the next hint for a task (three for each, none of them the code)")
    hint.add_argument("name", metavar="MILESTONE[.TASK]", help="m04, or one task of it: m04.2")
    _submission(hint)
    return top


def _submission(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group()
    which.add_argument("--submission", metavar="DIR", help="the folder with the modules (default: exercises)")
    which.add_argument("--student", metavar="NAME", help="grade submissions/NAME")


def _course(command: argparse.ArgumentParser) -> None:
    command.add_argument("--course", metavar="FILE", help="the milestones and points of a course: docs/handout.md")


def _grade(command: argparse.ArgumentParser) -> None:
    _conditions(command)
    command.add_argument("--all", action="store_true", help="grade unchanged milestones that passed again")
    command.add_argument("--debug", action="store_true", help="no sandbox and no limits, so that breakpoint() works")
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


def _watch(command: argparse.ArgumentParser) -> None:
    _conditions(command)
    command.set_defaults(all=False, debug=False, official=False)


def _handout(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", metavar="DIR", help="where the repository goes: a new folder, or one to --update")
    _course(command)
    command.add_argument(
        "--withhold",
        action="append",
        default=[],
        metavar="m04,m05.2",
        help="leave out the checks of these milestones and tasks: they run on the course's own server only",
    )
    command.add_argument("--update", action="store_true", help="bring a handout up to date; changed exercises are kept")


def _capstone(command: argparse.ArgumentParser) -> None:
    _submission(command)
    command.add_argument("--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where it is trained")
    command.add_argument("--steps", type=_count, default=600, metavar="N", help="training steps (default: 600)")
    command.add_argument(
        "--minutes", type=_count, default=15, metavar="N", help="when training stops at the latest (default: 15)"
    )
    command.add_argument(
        "--out",
        default=".scratchwork/capstone",
        metavar="DIR",
        help="where loss curve and stories are kept (default: .scratchwork/capstone)",
    )
    command.add_argument("--isolation", choices=ISOLATION[:-1], default="auto")


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1,000,000")
    return int(text)


def _conditions(command: argparse.ArgumentParser) -> None:
    """Add what is graded, and under which conditions."""
    command.add_argument("milestones", nargs="*", metavar="MILESTONE", help="m04, 4, attention or m04_attention")
    _submission(command)
    _course(command)
    command.add_argument(
        "--prerequisites",
        choices=("submission", "solutions"),
        default="submission",
        help="where the earlier milestones come from that a milestone is made of",
    )
    command.add_argument(
        "--device", choices=("cpu", "cuda", "mps"), default="cpu", help="where the student's code runs"
    )
    command.add_argument("--weights", default="gpt2-nano", metavar="gpt2-nano|gpt2|DIR", help="the GPT-2 checkpoint")
    command.add_argument("--seed", default=None, metavar="N|random", help="what all inputs are drawn from")
    command.add_argument(
        "--isolation",
        choices=ISOLATION,
        default="auto",
        help="how the student's code is shut in (auto: the strongest that works here)",
    )


def syllabus_of(options: argparse.Namespace) -> syllabus.Syllabus:
    """Return the syllabus, or that of the course that --course names. Raises SyllabusError."""
    whole = syllabus.load()
    if options.course is None:
        return whole
    from . import course

    return course.load(Path(options.course), whole).syllabus(whole)


def submission_folder(options: argparse.Namespace) -> Path:
    """Return the folder that --submission or --student names. Raises SubmissionError for a name that is none."""
    if options.student is not None:
        name = options.student
        if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
            raise SubmissionError(f"--student {name!r} is no name of a folder below submissions/.")
        return Path("submissions") / name
    return Path(options.submission or "exercises")
