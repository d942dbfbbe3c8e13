"""The report that a student reads: where things stand, what to mend, and the one thing to do next."""

from __future__ import annotations

import contextlib
import functools
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping

from rich.console import Console
from rich.text import Text

from grader.counting import counted
from grader.record import GRADER_ERROR, Milestone, Record
from grader.reports import words
from grader.reports.findings import telling_check, worth_explaining
from grader.reports.onward import Onward
from grader.safe_text import one_line

from .ending import print_ending
from .failure import Place, print_failure, print_problem
from .paper import Paper
from .table import print_table

Tries = Mapping[str, tuple[str, ...]]  # from "m04.2" to a command, and lines of Python
Rerun = Callable[[str], str]  # from "m04" to the command that grades it again


def render(
    record: Record,
    console: Console,
    *,
    guide_root: str = "exercises",
    rerun: Rerun | None = None,
    onward: Onward | None = None,
    tries: Tries | None = None,
    brief: str = "",
    notebooks: Collection[str] = (),
) -> None:
    """Print the report of one run.

    `guide_root` is the folder of the guides as the student would name it; `rerun` gives the command that grades a
    milestone again, and is `nox -s grade -- m04` unless given; `onward` is where it goes on once all has passed.
    `tries` gives for a task what opens a prompt for its failure, and the lines of the call that failed. With `brief`
    only the first failure is shown in full, and this says how to see the others. `notebooks` are the modules that were
    taken out of one.
    """
    with contextlib.suppress(SystemExit):  # rich exits when the reader of a pipe is gone; the grade still stands
        submission = one_line(record.submission).rstrip("/")
        place = Place(submission, guide_root.rstrip("/"), rerun or _rerun(submission), onward, tries or {}, notebooks)
        _print_report(Paper(console), record, place, brief)


def _print_report(paper: Paper, record: Record, place: Place, brief: str) -> None:
    _print_header(paper, record)
    print_table(paper, record)
    findings = [finding for milestone in record.milestones for finding in _findings(paper, record, milestone, place)]
    for finding in findings[: 1 if brief else None]:
        finding()
    if brief and len(findings) > 1:
        paper.block(paper.ours(f"{counted(len(findings) - 1, 'more task')} to mend: {brief}.", "dim"), indent=2)
        paper.line()
    if record.grader_at_fault:
        _print_grader_fault(paper, record)
    print_ending(paper, record, place)


def _rerun(submission: str) -> Rerun:
    where = "" if submission == "exercises" else f" --submission {shlex.quote(submission)}"
    return lambda milestone: f"nox -s grade -- {milestone}{where}"


def _print_header(paper: Paper, record: Record) -> None:
    name = Text.assemble(("Scratchwork", "bold"), "  ", paper.ours(words.kind(record)), " of ")
    paper.block(name + paper.theirs(one_line(record.submission), "bold"))
    facts = [
        f"isolation {record.isolation}",
        f"device {record.device}",
        f"seed {words.seed(record)}",
        f"weights {words.weights(record)}",
    ]
    if record.prerequisites != "submission":
        facts.append(f"earlier milestones from the {record.prerequisites}")
    paper.block(paper.ours(" · ".join(facts), "dim"))
    for note in record.notes:
        paper.block(paper.theirs(one_line(note, 600)), indent=6, first=paper.ours("note  ", "yellow"))
    paper.line()


def _findings(paper: Paper, record: Record, milestone: Milestone, place: Place) -> Iterator[Callable[[], None]]:
    """Give what prints each thing that is to be mended, in order."""
    if milestone.problem is not None:
        yield functools.partial(print_problem, paper, milestone, place)
        return
    for task in milestone.tasks:
        check = telling_check(task)
        if check is not None and check.outcome != GRADER_ERROR and worth_explaining(task):
            yield functools.partial(print_failure, paper, record, milestone, task, check, place)


def _print_grader_fault(paper: Paper, record: Record) -> None:
    checks = [
        (task.id, check)
        for milestone in record.milestones
        for task in milestone.tasks
        for check in task.checks
        if check.outcome == GRADER_ERROR
    ]
    paper.line(paper.symbol(GRADER_ERROR), Text(" "), paper.ours("The grader made a mistake, not you.", "bold"))
    paper.block(
        paper.ours(
            f"{len(checks)} check{'s' if len(checks) != 1 else ''} could not be decided, so the points for "
            "these tasks are still open. Nothing in your code has to change for this. Please report it to your "
            "instructor, or as an issue of Scratchwork, with the lines below and the file that --json record.json "
            "writes."
        ),
        indent=2,
    )
    paper.row("Grader", paper.ours(record.grader))
    for task_id, check in checks[:3]:
        paper.row(task_id, paper.theirs(f"{check.id}: {check.message or words.SENTENCE[GRADER_ERROR]}"[:600]))
    if len(checks) > 3:
        paper.row("", paper.ours(f"and {len(checks) - 3} more"))
    paper.line()
