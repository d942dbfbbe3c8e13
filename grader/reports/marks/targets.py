"""Which mark of a class's standing goes under which column of an LMS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grader.classroom.book.standing import ClassResult, Column, Standing
from grader.record import GRADER_ERROR, WITHHELD
from grader.reports import words

from .sheets import SheetError, listed, read_sheet

TOTAL = "total"


@dataclass(frozen=True)
class Target:
    """One of our columns: a milestone, several milestones together, or the total."""

    columns: tuple[Column, ...]
    title: str

    @property
    def possible(self) -> float:
        """Points that can be earned here."""
        return sum(column.possible for column in self.columns)


def targets(result: ClassResult, titles: dict[str, str] | None = None) -> list[Target]:
    """Return the columns to export: one for each milestone, or those that a mapping names."""
    if not titles:
        return [Target((column,), default_title(column)) for column in result.columns]
    known = {column.milestone: column for column in result.columns}
    known |= {words.short(name): column for name, column in known.items()}
    found = []
    for name, title in titles.items():
        if name == TOTAL:
            found.append(Target(tuple(result.columns), title))
        elif name in known:
            found.append(Target((known[name],), title))
        else:
            names = listed([column.milestone for column in result.columns] + [TOTAL])
            raise SheetError(f"--columns names {name!r}, which this class has no results for; it has {names}.")
    return found


def default_title(column: Column) -> str:
    """Return "m04 Attention"."""
    return f"{words.short(column.milestone)} {column.title}"


def mark(standing: Standing, target: Target, missing: str = "blank") -> float | None:
    """Return the points after penalties; None where no mark can be stated.

    That is so when nothing was handed in (`missing="zero"` makes it 0), when not all of it has been graded, and when
    the grader itself failed: whatever stands in the LMS must not be overwritten by a guess.
    """
    if not standing.origin and not standing.milestones:
        return 0.0 if missing == "zero" else None
    if any(not decided(standing, column) for column in target.columns):
        return None
    return round(sum(standing.score(column.milestone) for column in target.columns), 2)


def decided(standing: Standing, column: Column) -> bool:
    """Say whether a milestone has a result that the grader stands behind."""
    found = standing.milestones.get(column.milestone)
    return found is not None and all(task.outcome not in (GRADER_ERROR, WITHHELD) for task in found.tasks)


def undecided(result: ClassResult, targets: list[Target], missing: str) -> list[str]:
    """Return a sentence for those students whose mark is left open, if there are any."""
    none = [s for s in result.standings if not s.origin and not s.milestones]
    some = [s for s in result.standings if s not in none and any(mark(s, t) is None for t in targets)]
    sentences = []
    if none and missing != "zero":
        sentences.append(f"Nothing was handed in by {names(none)}: no mark is given (--missing zero gives 0).")
    if some:
        sentences.append(f"Not everything could be graded of {names(some)}: those marks are left open.")
    return sentences


def names(standings: list[Standing]) -> str:
    """Return who these are, for a sentence."""
    return listed(standing.student.id for standing in standings)


def read_titles(path: str | Path) -> dict[str, str]:
    """Read a mapping of columns, a CSV file `milestone,column` with a row for each; SheetError if it is none."""
    sheet = read_sheet(path)
    if [name.lower() for name in sheet.header] != ["milestone", "column"]:
        raise SheetError(f"{path} has to begin with the line 'milestone,column'.")
    titles: dict[str, str] = {}
    for number, (name, title) in enumerate(sheet.rows, start=2):
        if not name.strip() or not title.strip() or name.strip() in titles:
            raise SheetError(f"Row {number} of {path} is no milestone with its column, or names one twice.")
        titles[name.strip()] = title.strip()
    return titles


def same_title(theirs: str, target: Target) -> bool:
    """Say whether an LMS's column is meant for ours: it has our title, or begins with the milestone's number."""
    theirs = re.sub(r"\s*\(\d+\)\s*$", "", theirs).strip().casefold()
    if theirs == target.title.casefold():
        return True
    if len(target.columns) != 1:
        return False
    column = target.columns[0]
    return theirs in (column.title.casefold(), column.milestone) or bool(
        re.match(rf"{re.escape(words.short(column.milestone))}(?![a-z0-9.])", theirs)
    )
