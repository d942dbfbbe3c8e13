"""`nox -s strength -- --played`: play the mistakes that people make, write what each is told.

The mistakes are the written mutants that say `played = true`. Each is graded as a student's module, task by task; the
first failure that its report shows goes into docs/learners-way.md, beside the words that a right name has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from grader import record

from . import names
from .proofs import REPOSITORY, Trial, function, proving, support

PAGE = REPOSITORY / "docs" / "learners-way.md"
NONE = "none is promised"
HEAD = """\
# The learner's way

For whoever asks what a student with a mistake is told. Written by `nox -s strength -- --played`; do not edit.

Each row is a module that was really graded: the reference solution with one mistake in it, of the kind that people
make who have the README, the guides and nothing else. The third column is what the first failure of its report says:
the *likely mistake* where one is named, else the first sentence of the *result*. The last column holds the words
without which a name is wrong; where none is promised, a plain difference is shown. A test reads this page: a wrong
name in it fails.
"""


class Row(NamedTuple):
    """A mistake, the task whose failure is shown first, and what is said there."""

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


def run(chosen: list[str]) -> Iterator[tuple[str, str]]:
    """Grade the mistakes of these milestones and yield for each how many were named rightly, wrongly, not.

    Writes the page; what it has of other milestones stays.
    """
    sections = written()
    for milestone, mutants in played().items():
        if milestone not in chosen:
            continue
        tasks = {check: task for task, checks in support.checks_by_task(milestone).items() for check in checks}
        # In a report's order: by task, then as the suite has them. The first that does not pass is the one shown.
        checks = sorted((node.name for node in support.suite(milestone) if node.name in tasks), key=tasks.__getitem__)
        trials = [Trial(support.mutate(milestone, mutant), (tuple(checks),), proving.REJECTED) for mutant in mutants]
        rows = []
        for mutant, (ended,) in zip(mutants, proving.tried(milestone, trials), strict=True):
            check = next(check for check in ended if check.outcome != record.PASSED)
            rows.append(Row(mutant, tasks[function(check.id)], check.mistake or "", check.message))
        sections[milestone.partition("_")[0]] = section(milestone, rows)
        PAGE.write_text("\n".join([HEAD, *(sections[number] for number in sorted(sections))]), encoding="utf-8")
        yield milestone, names.tally({row.mutant["name"]: names.verdict(row.mutant, row.mistake) for row in rows})


def written() -> dict[str, str]:
    """Return the sections that the page has now, by the milestones' numbers."""
    _, *sections = re.split(r"^(?=## )", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {text.split()[1]: text.rstrip("\n") + "\n" for text in sections}


def section(milestone: str, rows: list[Row]) -> str:
    """Return the table of one milestone."""
    lines = [f"## {milestone.partition('_')[0]} {support.COURSE.milestone(milestone).title}\n"]
    lines += ["| task | the mistake | what is told | a right name says |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: row.task):
        said = f"Likely mistake: {row.mistake}" if row.mistake else sentence(row.message)
        lines.append(f"| {row.task} | {cell(row.mutant['mistake'])} | {cell(said)} | {cell(right(row.mutant))} |")
    return "\n".join([*lines, ""])


def right(mutant: dict[str, Any]) -> str:
    """Return the words that a right name has."""
    told = mutant.get("told", [])
    return " / ".join([told] if isinstance(told, str) else told) or NONE


def sentence(message: str) -> str:
    """Return the first line of a message, without how much was allowed."""
    return re.sub(r" \(allowed: [^)]*\)", "", message.splitlines()[0])


def cell(text: str) -> str:
    """Return a text so that it stays in its cell of a table, and Markdown takes nothing in it for its own."""
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", " ".join(text.split()))
