"""Which mark of a class's standing goes under which column of an LMS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grader.classroom.book.standing import ClassResult, Column, Standing
from grader.reports import words

from .sheets import SheetError, listed, read_sheet

TOTAL = "total"


@dataclass(frozen=True)
class Target:
    """One of our columns: a milestone, several milestones together, or the total."""

    columns: tuple[Column, ...]
    title: str
    total: bool = False  # what is due of these, as their weights have it

    @property
    def possible(self) -> float:
        """Points that can be earned here."""
        if self.total:
            return sum(column.worth for column in self.columns if column.counts)
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
            found.append(Target(tuple(result.columns), title, total=True))
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
    """Return the points that count; None where no mark can be stated.

    That is so when nothing was handed in (`missing="zero"` makes it 0), when somebody is excused, when the mark is a
    draft, when not all of it has been graded, and when the grader itself failed: whatever stands in the LMS must not be
    overwritten by a guess. A total is that of what is due; what was not handed in adds nothing to it.
    """
    columns = _counted(standing, target)
    if not columns or any(column.milestone in standing.drafts for column in columns):
        return None
    points = []
    for column in columns:
        if standing.is_decided(column.milestone):
            scale = column.worth / column.possible if target.total and column.weight else 1
            points.append(standing.score(column.milestone) * scale)
        elif not absent(standing, column) or column.milestone in standing.pending:
            return None
        elif missing == "zero":
            points.append(0.0)
    return standing.rounding(sum(points)) if points and (target.total or len(points) == len(columns)) else None


def _counted(standing: Standing, target: Target) -> list[Column]:
    """Return the columns that a mark is made of: none excused, and of a total those that are due for this student."""
    columns = [column for column in target.columns if column.milestone not in standing.excused]
    if target.total:
        columns = [column for column in columns if column.counts and column.milestone not in standing.pending]
    return columns


def absent(standing: Standing, column: Column) -> bool:
    """Say whether nothing of a milestone was ever handed in."""
    if column.milestone in standing.waiting:
        return False
    nothing = not standing.origin and not standing.milestones
    return column.milestone in standing.absent or (nothing and column.milestone not in standing.milestones)


def undecided(result: ClassResult, targets: list[Target], missing: str) -> list[str]:
    """Return a sentence for each kind of mark that is left open, if there are any."""
    none = [
        s
        for s in result.standings
        if not (s.origin or s.milestones or s.waiting) and all(mark(s, t) is None for t in targets)
    ]
    known = {id(s) for s in none}
    others = [s for s in result.standings if id(s) not in known]
    open_ = {id(s): [c for t in targets for c in t.columns if not s.is_decided(c.milestone)] for s in others}
    sentences = []
    if none and missing != "zero":
        sentences.append(f"Nothing was handed in by {names(none)}: no mark is given (--missing zero gives 0).")
    for column in dict.fromkeys(column for target in targets for column in target.columns):
        lacking = [
            s for s in others if column in open_[id(s)] and absent(s, column) and column.milestone not in s.excused
        ]
        if lacking and missing != "zero":
            short = words.short(column.milestone)
            sentences.append(
                f"{short} was not handed in by {names(lacking)}: no mark is given (--missing zero gives 0)."
            )
    unsettled = {id(s): [c for c in open_[id(s)] if c.milestone not in s.open and not absent(s, c)] for s in others}
    if some := [s for s in others if unsettled[id(s)]]:
        sentences.append(f"Not everything could be graded of {names(some)}: those marks are left open.")
    drafts = {name: [s for s in result.standings if name in s.drafts] for t in targets for name in _ids(t)}
    for name, held in drafts.items():
        if held:
            whose = "everybody" if len(held) == len(result.standings) else names(held)
            sentences.append(f"{words.short(name)} is a draft for {whose}, so that no mark is written (marks release).")
    if excused := [s for s in result.standings if any(name in s.excused for t in targets for name in _ids(t))]:
        sentences.append(f"Excused from some of it: {names(excused)}.")
    for target in (target for target in targets if target.total):
        less = {
            s.student.id: possible
            for s in result.standings
            if (possible := sum(column.worth for column in _counted(s, target))) < target.possible
        }
        if less:
            each = listed(f"{who} of {words.number(possible)}" for who, possible in less.items())
            sentences.append(
                f"{target.title} is out of {words.number(target.possible)}, and for whom it is out of less, since they "
                f"are excused or have more time, an LMS does not know: {each}."
            )
    if any(target.total and not all(column.counts for column in target.columns) for target in targets):
        due = [words.short(column.milestone) for target in targets for column in target.columns if column.counts]
        sentences.append(f"The total is out of what is due by now: {listed(dict.fromkeys(due), 40) or 'nothing'}.")
    return sentences


def _ids(target: Target) -> list[str]:
    return [column.milestone for column in target.columns]


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
