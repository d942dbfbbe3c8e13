"""`python -m grader pull-request`: grades what a pull request changes, with the grader that stands here: the base's.

Its reports are for a workflow: a step summary, annotations at the student's lines, the record as an artifact. Whatever
a student wrote passes through `grader.safe_text`; as a second wall, the log takes no commands meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import re
import secrets
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from grader import own_rooms, record
from grader.arguments import ISOLATION, judges, syllabus_of
from grader.arguments import course as course_file
from grader.classroom.intake.git_process import GitError
from grader.commands import report_paths
from grader.exits import FAULT, NOT_PASSED, PASSED
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import grader_version
from grader.practice import PUBLIC_SEED, Practice, check_device
from grader.progress import Progress
from grader.pull_request import reading as pull_request
from grader.sandbox import levels
from grader.sandbox.errors import SandboxError

# Through these a step speaks to the steps after it, or to GitHub: nothing that is started from here has a use for them.
SPEAKING = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "GITHUB_TOKEN")
NOTHING = "There is nothing to grade: it changes no module of the course."
_SERVER = re.compile(r"https://[\w.-]+(:\d+)?", re.ASCII)
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class Forgetful(Progress):
    """Keeps nothing: what other people's pull requests earned is not this machine's progress."""

    lasting = False

    def __init__(self) -> None:
        self.trouble = None

    def passed(self, folder: Path, milestone: str, key: str) -> None:
        """Know of nothing that passed before."""

    def last(self, folder: Path, milestone: str) -> None:
        """Know of nothing that was graded before."""

    def remember(self, folder: Path, results: list[record.Milestone], keys: dict[str, str]) -> None:
        """Keep nothing."""


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("--repo", default=".", metavar="DIR", help="the repository with both commits (default: .)")
    command.add_argument("--base", required=True, metavar="SHA", help="the branch that it is to be merged into")
    command.add_argument("--head", required=True, metavar="SHA", help="the pull request's last commit")
    course_file(command)
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the student's code runs")
    command.add_argument("--seed", default=None, metavar="N|random", help="what all inputs are drawn from")
    command.add_argument(
        "--isolation",
        choices=ISOLATION[:3],
        default="auto",
        help="how the student's code is shut in (auto: bubblewrap, else user, else refusal)",
    )
    judges(command)
    command.add_argument("--official", action="store_true", help="a run that counts: a secret seed, a discreet report")
    command.add_argument("--json", metavar="FILE", help="write the result record (the instructor's, seed included)")
    command.add_argument("--summary", metavar="FILE", help="write Markdown for a step summary")
    command.add_argument("--annotations", action="store_true", help="print GitHub annotations at the student's lines")
    command.set_defaults(
        weights="gpt2-nano", weights_llama="llama-nano", prerequisites="submission", debug=False, all=True
    )


def run(options: argparse.Namespace) -> int:
    """Read, grade, report; return the exit code."""
    started = time.perf_counter()
    for name in [name for name in os.environ if name in SPEAKING or name.startswith("ACTIONS_")]:
        del os.environ[name]

    course = syllabus_of(options)
    report_paths.check_writable([options.json, options.summary])
    check_device(options.device)
    try:
        pull = pull_request.read(Path(options.repo), options.base, options.head, course)
    except GitError as error:
        raise UsageProblem(str(error)) from None
    chosen = pull.affected(course)
    options = argparse.Namespace(**{**vars(options), "isolation": _level(options, bool(chosen))})
    practice = Practice(options, course, chosen, Path(options.repo))
    practice.progress = Forgetful()
    with commands_stopped() if options.annotations else contextlib.nullcontext():
        try:
            result, passed = _graded(practice, pull)
        finally:
            practice.close()
        result.seconds = round(time.perf_counter() - started, 2)
        code = _report(result, passed, options, guides_of(pull.base))
    if options.annotations:
        from grader.reports.machines import annotations, places
        from grader.reports.student_view import student_view

        lines = places.definitions(pull.submission.sources, course)
        remarks = annotations.render(student_view(result), prefix=f"{pull_request.FOLDER}/", places=lines)
        print(remarks, end="", flush=True)
    return code


def _level(options: argparse.Namespace, anything: bool) -> str:
    """Return the isolation level; where nothing is graded it is no matter that none for strangers works here."""
    if options.isolation != "auto":
        return str(options.isolation)
    try:
        return levels.strongest_for_strangers()
    except SandboxError:
        if anything:
            raise
        return "process"


def guides_of(base: str) -> str:
    """Return where the base's guides are read on GitHub, or an empty string outside of a workflow."""
    server, repository = os.environ.get("GITHUB_SERVER_URL", ""), os.environ.get("GITHUB_REPOSITORY", "")
    if not (_SERVER.fullmatch(server) and _REPOSITORY.fullmatch(repository)):
        return ""
    return f"{server}/{repository}/blob/{base}/{pull_request.FOLDER}/"


@contextlib.contextmanager
def commands_stopped() -> Iterator[None]:
    """Make the log of a workflow take no command from what is printed meanwhile."""
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    try:
        yield
    finally:
        print(f"::{token}::", flush=True)


def _graded(practice: Practice, pull: pull_request.PullRequest) -> tuple[record.Record, bool]:
    """Return the record of what the pull request answers for, and whether it passes."""
    if not practice.chosen:
        rooms = own_rooms.packed(practice.course)
        result = record.Record(
            grader_version(rooms), pull.submission.folder, practice.seed, practice.options.device,
            practice.workers.level, official=practice.official, secret_seed=practice.secret,
            notes=[pull.origin, NOTHING, *pull.notes],
        )  # fmt: skip
        return result, True
    practice.boot()
    result = practice.grade(pull.submission, again=True, judges=practice.options.judges)
    result.notes = [pull.origin, *pull.notes, *result.notes]
    return result, pull.judge(result)


def _report(result: record.Record, passed: bool, options: argparse.Namespace, guides: str) -> int:
    from rich.console import Console

    from grader.reports.machines import json_report, markdown
    from grader.reports.student_view import student_view
    from grader.reports.terminal import report as terminal
    from grader.reports.text_file import ReportError, write_text_report

    shown = student_view(result)
    here = dataclasses.replace(shown, submission=pull_request.FOLDER)  # paths as the student knows them
    terminal.render(
        here, Console(), guide_root=pull_request.FOLDER, rerun=lambda milestone: _rerun(milestone, shown, options)
    )
    try:
        if options.summary:
            write_text_report(options.summary, markdown.render(shown, guides=guides))
        if options.json:
            json_report.write(result, options.json)
    except ReportError as error:
        raise UsageProblem(str(error)) from None
    return FAULT if result.grader_at_fault else PASSED if passed else NOT_PASSED


def _rerun(milestone: str, shown: record.Record, options: argparse.Namespace) -> str:
    words = ["nox", "-s", "grade", "--", milestone]
    if options.course is not None:
        words += ["--course", options.course]
    if shown.seed != PUBLIC_SEED and not shown.secret_seed:
        words += ["--seed", shown.seed]
    return shlex.join(words)
