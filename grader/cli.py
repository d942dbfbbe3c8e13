"""The command line: parse, call, exit code. 0 all selected passed, 1 not all passed, 2 wrong usage, 3 grader fault."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from . import syllabus
from .sandbox.errors import SandboxError
from .submission import SubmissionError

ISOLATION = ("auto", "bubblewrap", "user", "process", "inline")
PASSED, NOT_PASSED, USAGE, FAULT, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser().parse_args(arguments)
    from .commands import (
        capstone,
        classroom,
        convert,
        export,
        grade,
        gradescope,
        hint,
        listing,
        pull_request,
        replay,
        similarity,
        verify,
        watch,
    )
    from .judge.errors import UsageProblem

    try:
        commands = {
            "grade": grade,
            "watch": watch,
            "capstone": capstone,
            "list": listing,
            "hint": hint,
            "verify": verify,
            "replay": replay,
            "pull-request": pull_request,
            "gradescope": gradescope,
            "classroom": classroom,
            "convert": convert,
            "export": export,
            "similarity": similarity,
        }
        return commands[options.command].run(options)
    except (syllabus.SyllabusError, SubmissionError, SandboxError, UsageProblem) as error:
        print(f"scratchwork: {error}", file=sys.stderr)
        return FAULT if isinstance(error, SandboxError) and options.isolation == "auto" else USAGE
    except KeyboardInterrupt:
        print("\nscratchwork: interrupted; nothing was saved.", file=sys.stderr)
        return INTERRUPTED


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Print the message and where to read more; exit with code 2."""
        self.exit(USAGE, f"scratchwork: {message} ({self.prog} --help lists what there is).\n")


def parser() -> Parser:
    """Return the parser of the whole command line."""
    top = Parser(prog="python -m grader", description="Grade a submission of the Scratchwork course.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    _grade(commands.add_parser("grade", help="grade milestones and say what to mend"))
    _watch(commands.add_parser("watch", help="grade again what a save touched, until q is pressed"))
    _capstone(commands.add_parser("capstone", help="train a GPT out of your own parts and let it write a story"))
    listing = commands.add_parser("list", help="show the syllabus with your progress")
    _submission(listing)
    verify = commands.add_parser("verify", help="check that solutions earn full marks and stubs nothing")
    verify.add_argument("milestones", nargs="*", metavar="MILESTONE")
    verify.add_argument("--reference", default="solutions", metavar="DIR", help="the folder with the reference modules")
    verify.add_argument("--isolation", choices=ISOLATION, default="auto")
    _replay(commands.add_parser("replay", help="grade again from a result record, and compare the outcomes"))
    _pull_request(commands.add_parser("pull-request", help="grade what a pull request changes, nothing checked out"))
    _gradescope(commands.add_parser("gradescope", help="write the autograder's zip for Gradescope"))
    _classroom(commands.add_parser("classroom", help="grade a whole class into a gradebook"))
    _convert(commands.add_parser("convert", help="write a saved record in another format"))
    _export(commands.add_parser("export", help="write a class's marks for an LMS, a spreadsheet or a page"))
    _similarity(commands.add_parser("similarity", help="report submissions that are suspiciously alike"))
    hint = commands.add_parser("hint", help="show the next hint for a task (three for each, none of them the code)")
    hint.add_argument("name", metavar="MILESTONE[.TASK]", help="m04, or one task of it: m04.2")
    _submission(hint)
    return top


def _replay(command: argparse.ArgumentParser) -> None:
    command.add_argument("record", metavar="RECORD.json", help="what `grade --json` wrote")
    command.add_argument("--submission", metavar="DIR", help="where the sources lie now (default: as in the record)")
    command.add_argument("--isolation", choices=ISOLATION[:-1], default="auto", help="auto: the record's own level")
    command.add_argument("--json", metavar="FILE", help="write the new result record")


def _submission(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group()
    which.add_argument("--submission", metavar="DIR", help="the folder with the modules (default: exercises)")
    which.add_argument("--student", metavar="NAME", help="grade submissions/NAME")


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


def _pull_request(command: argparse.ArgumentParser) -> None:
    command.add_argument("--repo", default=".", metavar="DIR", help="the repository with both commits (default: .)")
    command.add_argument("--base", required=True, metavar="SHA", help="the branch that it is to be merged into")
    command.add_argument("--head", required=True, metavar="SHA", help="the pull request's last commit")
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the student's code runs")
    command.add_argument("--seed", default=None, metavar="N|random", help="what all inputs are drawn from")
    command.add_argument(
        "--isolation",
        choices=ISOLATION[:3],
        default="auto",
        help="how the student's code is shut in (auto: bubblewrap, else user, else refusal)",
    )
    command.add_argument("--official", action="store_true", help="a run that counts: a secret seed, a discreet report")
    command.add_argument("--json", metavar="FILE", help="write the result record (the instructor's, seed included)")
    command.add_argument("--summary", metavar="FILE", help="write Markdown for a step summary")
    command.add_argument("--annotations", action="store_true", help="print GitHub annotations at the student's lines")
    command.set_defaults(weights="gpt2-nano", prerequisites="submission", debug=False, all=True)


def _gradescope(command: argparse.ArgumentParser) -> None:
    command.add_argument("out", metavar="OUT.zip", help="the zip to write")
    command.add_argument("milestones", nargs="*", metavar="MILESTONE", help="what is graded (default: everything)")
    command.add_argument("--practice", action="store_true", help="public seed and full reports: for work without marks")
    command.add_argument("--secret-seed", metavar="FILE", help="what all runs draw from (default: a new one is drawn)")
    _prerequisites(command)
    command.add_argument(
        "--isolation",
        choices=("auto", "bubblewrap", "user"),
        default="auto",
        help="how the student's code is shut in (auto: bubblewrap where it works there, else user)",
    )
    command.add_argument(
        "--minutes", type=_count, default=9, metavar="N", help="when grading is given up; less than Gradescope's limit"
    )


def _prerequisites(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--prerequisites",
        choices=("submission", "solutions"),
        default="submission",
        help="where the earlier milestones come from that a milestone is made of",
    )


def _convert(command: argparse.ArgumentParser) -> None:
    from .commands.convert import FORMATS
    from .reports.gradescope import VISIBILITIES

    command.add_argument("record", metavar="RECORD.json", help="what `grade --json` wrote")
    command.add_argument("out", nargs="?", metavar="FILE", help="where it goes (default: the screen)")
    command.add_argument("--to", choices=FORMATS, required=True, help="the format")
    command.add_argument(
        "--visibility", choices=VISIBILITIES, default="visible", help="when Gradescope's students see the tests"
    )
    command.add_argument(
        "--prefix", default="exercises/", metavar="PATH/", help="what a repository has before the modules' names"
    )
    command.add_argument("--sources", metavar="DIR", help="the modules that were graded, to find definitions in")


def _export(command: argparse.ArgumentParser) -> None:
    from .commands.export import FORMATS

    command.add_argument("gradebook", metavar="GRADEBOOK", help="the gradebook, or a class's JSON file")
    command.add_argument("--format", choices=FORMATS, required=True)
    command.add_argument("--milestone", action="append", metavar="M", help="only this one (can be given several times)")
    command.add_argument("--template", metavar="FILE", help="what the LMS exported, to be filled in")
    command.add_argument("--columns", metavar="FILE", help="a CSV file milestone,column: which of the LMS's is which")
    command.add_argument("--missing", choices=("blank", "zero"), default="blank", help="the mark for nothing handed in")
    command.add_argument("--course", metavar="FILE", help="the course's TOML file: selection, points, due dates")
    command.add_argument("--out", metavar="FILE", help="where it goes (default: the screen)")


def _similarity(command: argparse.ArgumentParser) -> None:
    command.add_argument("submissions", nargs="+", metavar="SUBMISSIONS", help="folders, archives, exports")
    command.add_argument("--roster", metavar="CSV", help="id,name,email of the class")
    command.add_argument("--milestone", action="append", metavar="M", help="only this one (can be given several times)")
    command.add_argument("--threshold", type=_share, default=None, metavar="SHARE", help="from which likeness on")
    command.add_argument("--reference", default="solutions", metavar="DIR", help="the reference solutions")
    command.add_argument("--out", default="similarity.html", metavar="FILE", help="default: similarity.html")


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share such as 0.6 or 60%")
    return share


def _classroom(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "submissions",
        nargs="*",
        metavar="SUBMISSIONS",
        help="folders, zip or tar archives, a Gradescope or Moodle export, a list of repositories and commits",
    )
    command.add_argument("--roster", metavar="CSV", help="who belongs to the class: columns id, name, email")
    command.add_argument(
        "--gradebook", default="gradebook.sqlite", metavar="FILE", help="where the results are kept (%(default)s)"
    )
    command.add_argument("--course", metavar="FILE", help="milestones, points, due dates and lateness, as TOML")
    command.add_argument("--student", action="append", default=[], metavar="ID", help="only this student (repeatable)")
    command.add_argument(
        "--milestone", action="append", default=[], metavar="MILESTONE", help="only this milestone (repeatable)"
    )
    command.add_argument("--since", type=_moment, metavar="WHEN", help="leave out what was handed in before")
    command.add_argument("--regrade", action="store_true", help="grade anew what has its result already")
    command.add_argument(
        "--changes", action="store_true", help="grade nothing; show whose points the last change of the grader changed"
    )
    command.add_argument("--json", metavar="FILE", help="write where the class stands")
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_count, default=1, metavar="N", help="processes on this machine (1)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster that runs already: tcp://host:8786")
    command.add_argument(
        "--official", action="store_true", help="results that count: bubblewrap or refusal, and a secret seed"
    )
    _circumstances(command)
    command.set_defaults(debug=False)


def _moment(text: str) -> datetime:
    """Read a date or a date with a time, ISO 8601; without an offset it is this machine's local time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date like 2026-10-12, and no time like 2026-10-12T23:59:00+02:00"
        ) from None
    return found if found.utcoffset() is not None else found.astimezone()


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1,000,000")
    return int(text)


def _conditions(command: argparse.ArgumentParser) -> None:
    """Add what is graded, and under which conditions."""
    command.add_argument("milestones", nargs="*", metavar="MILESTONE", help="m04, 4, attention or m04_attention")
    _submission(command)
    _circumstances(command)


def _circumstances(command: argparse.ArgumentParser) -> None:
    _prerequisites(command)
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


def submission_folder(options: argparse.Namespace) -> Path:
    """Return the folder that --submission or --student names. Raises SubmissionError for a name that is none."""
    if options.student is not None:
        name = options.student
        if name in ("", ".", "..") or Path(name).name != name or "\\" in name:
            raise SubmissionError(f"--student {name!r} is no name of a folder below submissions/.")
        return Path("submissions") / name
    return Path(options.submission or "exercises")
