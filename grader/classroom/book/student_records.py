"""A student's latest results as a result record, which can be replayed and shown like that of a single run.

A gradebook has of a secret seed only the hash, and so has the record: whoever replays it gives the seed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from grader import files, record
from grader.safe_text import one_line
from grader.sandbox import levels
from grader.syllabus import Milestone

from .gradebook import Gradebook
from .results import GradebookError, priced, read

LATEST = """
    SELECT standing.student, standing.milestone, record, result.grader, result.conditions, seconds
    FROM standing JOIN result ON result.id = standing.result
    WHERE standing.id IN (SELECT MAX(id) FROM standing WHERE result IS NOT NULL GROUP BY student, milestone)
    ORDER BY standing.student, standing.milestone
"""
ORIGINS = "SELECT student, origin FROM handin WHERE id IN (SELECT MAX(id) FROM handin GROUP BY student)"
STUDENTS = "SELECT id FROM student ORDER BY position IS NULL, position, id"
TOGETHER = "Put together from a gradebook, in which each milestone is graded on its own."
HASHED = "The seed is a secret one, of which this record holds the hash; whoever replays it gives the seed itself."
CONDITIONS = {"device": str, "isolation": str, "official": bool, "prerequisites": str, "seed": str, "weights": str}
CONDITIONS |= dict.fromkeys(record.USUAL, str)


@dataclass(frozen=True)
class _Result:
    """One milestone's result that counts, and under what it was graded."""

    milestone: record.Milestone
    grader: str
    conditions: str
    seconds: float


def records(book: Gradebook, milestones: Iterable[Milestone]) -> tuple[dict[str, record.Record], dict[str, str]]:
    """Return every student's record by id, in the class's order, and of the others one sentence: why there is none."""
    chosen = {milestone.id: milestone for milestone in milestones}
    origins = dict(book.rows(ORIGINS))
    results: dict[str, list[_Result]] = {}
    for student, name, text, grader, conditions, seconds in book.rows(LATEST):
        if name in chosen:
            found = priced(read(text, student, name), chosen[name])
            results.setdefault(student, []).append(_Result(found, grader, conditions, seconds))
    made, without = {}, {}
    for (student,) in book.rows(STUDENTS):
        try:
            made[student] = _record(student, results.get(student, []), origins.get(student, ""))
        except GradebookError as error:
            without[student] = str(error)
    return made, without


def unknown(student: str, known: Iterable[str]) -> str:
    """Return the sentence about a student who is not in the gradebook, with a guess at who was meant."""
    close = difflib.get_close_matches(student, list(known), n=1)
    guess = f"; did you mean {one_line(close[0], 100)}?" if close else "."
    return f"There is no student {one_line(student, 100)!r} in the gradebook{guess}"


def file_names(students: Iterable[str]) -> dict[str, str]:
    """Return a file's name for each id: no way into another folder, and none twice where case does not count.

    Example: "a/b" -> "a%2Fb.json".
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for student in students:
        stem = name = quote(student, safe="@ ")[:200]
        number = 2
        while name.casefold() in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.casefold())
        names[student] = f"{name}.json"
    return names


def _record(student: str, results: list[_Result], origin: str) -> record.Record:
    shown = one_line(student, 100)
    if not results:
        raise GradebookError(f"There is no result of {shown} to make a record of.")
    first = results[0]
    for other in results:
        if (other.grader, other.conditions) != (first.grader, first.conditions):
            raise GradebookError(
                f"{first.milestone.id[:3]} and {other.milestone.id[:3]} of {shown} were graded by different graders or "
                "under different conditions, which no record can say: name milestones with --milestone, or grade anew."
            )
    under = _conditions(first, shown)
    seed, level = under["seed"], under["isolation"]
    secret = seed.startswith("sha256:")
    notes = [TOGETHER, *([HASHED] if secret else []), *levels.gap_notes(level)]
    return record.Record(
        grader=first.grader, submission=origin, seed=seed, secret_seed=secret, device=under["device"], isolation=level,
        weights=under["weights"], weights_llama=under["weights_llama"], official=under["official"],
        prerequisites=under["prerequisites"], notes=notes,
        milestones=[result.milestone for result in results],
        seconds=round(sum(result.seconds for result in results), 3),
    )  # fmt: skip


def _conditions(result: _Result, student: str) -> dict[str, Any]:
    """Return the conditions of a result. Raises GradebookError where the gradebook does not say them."""
    try:
        plain = files.parse_json(result.conditions)
    except ValueError:
        plain = None
    plain = record.USUAL | plain if isinstance(plain, dict) else {}
    if missing := [name for name, kind in CONDITIONS.items() if not isinstance(plain.get(name), kind)]:
        raise GradebookError(
            f"The gradebook does not say under which conditions {result.milestone.id[:3]} of {student} was graded "
            f"({', '.join(missing)}), which a record needs; grade it anew with --regrade."
        )
    return plain
