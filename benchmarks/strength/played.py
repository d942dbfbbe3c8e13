"""`nox -s strength -- --played`: play the course with the mistakes that people make, and write down what each is told.

The mistakes are the written mutants that say `played = true`. Each is graded with its milestone's whole suite, as a
student's module is; what its report says first goes into docs/learners-way.md, beside the name that would be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from grader import record

from . import names
from .proofs import REPOSITORY, Trial, proving, support

PAGE = REPOSITORY / "docs" / "learners-way.md"
PLAIN = "a plain difference is shown"
HEAD = """\
# The learner's way

For whoever asks what a student with a mistake reads first. Written by `nox -s strength -- --played`; do not edit.

Each row is a module that was really graded: the reference solution with one mistake in it, of the kind that people
make who have the README and the guides and nothing else. The third column is the first *Likely mistake* of the whole
milestone's report; where none is named, the first sentence of its *Result*. The last column holds the words that a
right name has; *none* where no name is promised, since more than one mistake gives the same values. Right names
only, or none: a test reads this page.
"""


class Row(NamedTuple):
    """A mistake, the task whose report speaks first, and what it says."""

    mutant: dict[str, Any]
    task: str
    mistake: str
    message: str


def played() -> dict[str, list[dict[str, Any]]]:
    """Return the mutants that are played, by milestone."""
    found: dict[str, list[dict[str, Any]]] = {}
    for milestone, mutant in support.mutants():
        if mutant.get("played"):
            found.setdefault(milestone, []).append(mutant)
    return found


def run() -> Iterator[tuple[str, str]]:
    """Grade every mistake, write the page, and yield for each milestone how many were named rightly."""
    parts = [HEAD]
    for milestone, mutants in played().items():
        checks = frozenset[str]().union(*support.checks_by_task(milestone).values())
        trials = [Trial(support.mutate(milestone, mutant), (checks,), proving.NAMED) for mutant in mutants]
        graded = proving.tried(milestone, trials)
        rows = [first(milestone, mutant, ended) for mutant, (ended,) in zip(mutants, graded, strict=True)]
        parts.append(section(milestone, rows))
        yield milestone, names.tally({row.mutant["name"]: names.verdict(row.mutant, row.mistake) for row in rows})
    PAGE.write_text("\n".join(parts), encoding="utf-8")


def first(milestone: str, mutant: dict[str, Any], ended: list[record.Check]) -> Row:
    """Return what a report says first: the first check that names a mistake, else the first that did not pass."""
    failed = [check for check in ended if check.outcome != record.PASSED]
    check = next((check for check in failed if check.mistake), failed[0])
    of = {name: task for task, names_ in support.checks_by_task(milestone).items() for name in names_}
    return Row(mutant, of[check.id.partition("[")[0]], check.mistake or "", check.message)


def section(milestone: str, rows: list[Row]) -> str:
    """Return the table of one milestone."""
    lines = [f"## {milestone.partition('_')[0]} {support.COURSE.milestone(milestone).title}\n"]
    lines += ["| task | the mistake | what is read first | a right name says |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: row.task):
        told = row.mutant.get("told", [])
        right = " or ".join(f"“{words}”" for words in ([told] if isinstance(told, str) else told)) or "none"
        read = row.mistake or f"({PLAIN}) {sentence(row.message)}"
        lines.append(f"| {row.task} | {cell(row.mutant['mistake'])} | {cell(read)} | {cell(right)} |")
    return "\n".join([*lines, ""])


def sentence(message: str) -> str:
    """Return the first line of a message, without how much was allowed."""
    return re.sub(r" \(allowed: [^)]*\)", "", message.splitlines()[0])


def cell(text: str) -> str:
    """Return a text so that it stays in its cell of a table, and Markdown takes nothing in it for its own."""
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", " ".join(text.split()))
