"""A file that says whose something is where its name does not: a table of one's own, or Moodle's grading worksheet."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader import files, tables
from grader.classroom.book.standing import Student
from grader.safe_text import one_line

from .candidates import Candidate
from .roster import FILE_LIMIT, Ambiguous, Claim, Roster, RosterError
from .roster_columns import plain

COLUMNS = ("submission", "student")
_WORKSHEET = ("id number", "email address", "username")  # of a worksheet, which of them there are
_PARTICIPANT = re.compile(r"_(\d+)_assignsubmission_")


@dataclass(frozen=True)
class WhoIsWho:
    """Whose each submission is, by what it is called."""

    by_name: dict[str, Student | None] = field(default_factory=dict)  # None: it is nobody's
    by_number: dict[str, Student] = field(default_factory=dict)  # of a participant, as Moodle numbers them

    def applied(self, candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[str]]:
        """Return the candidates with what is said of them, and the origins of those that are nobody's."""
        found, nobodys = [], []
        for each in candidates:
            whose = self._whose(each.origin)
            if whose is None:
                nobodys.append(each.origin)
            elif whose.id:
                claim = Claim(id=whose.id, email=whose.email, name=whose.name)
                found.append(replace(each, claim=claim, stranger=whose, unclear="", maybe=(), anonymous=False))
            else:
                found.append(each)
        return found, nobodys

    def _whose(self, origin: str) -> Student | None:
        """Return whose something is, a student without an id where nothing is said, None where it is nobody's."""
        for name in (origin, origin.rpartition("!")[2], re.split(r"[!/]", origin)[-1]):
            if name.rstrip("/") in self.by_name:
                return self.by_name[name.rstrip("/")]
        number = _PARTICIPANT.search(origin)
        return self.by_number.get(number[1], Student("")) if number else Student("")


def load(path: Path, roster: Roster) -> WhoIsWho:
    """Read the file: columns submission and student, who is named as on the roster, or nobody; or Moodle's worksheet.

    Raises RosterError for a file that cannot be used, and for a row whose student is not on the roster.
    """
    shown = one_line(str(path), 200)
    try:
        rows, _ = tables.rows(tables.decoded(files.read(path, FILE_LIMIT)))
    except FileNotFoundError:
        raise RosterError(f"There is no file {shown} that says who is who.") from None
    except tables.NoTable as error:
        raise RosterError(f"The file {shown}, which says who is who, {error}.") from None
    except (csv.Error, OSError, ValueError) as error:
        why = files.reason(error) if isinstance(error, OSError) else one_line(str(error), 80)
        raise RosterError(f"The file {shown}, which says who is who, cannot be read: {why}.") from error
    header = [plain(cell) for cell in rows[0].cells] if rows else []
    if "identifier" in header and any(name in header for name in _WORKSHEET):
        return WhoIsWho(by_number=_of_worksheet(header, rows[1:], roster))
    if any(header.count(name) != 1 for name in COLUMNS):
        raise RosterError(
            f"The file {shown}, which says who is who, needs a first line that names its columns: submission,student."
        )
    by_name: dict[str, Student | None] = {}
    for row in rows[1:]:
        cells = dict(zip(header, (cell.strip() for cell in row.cells), strict=False))
        name, word = (cells.get(column, "") for column in COLUMNS)
        if not (name or word):
            continue
        try:
            by_name[name.rstrip("/")] = roster.find(Claim(word)) if word else None
        except Ambiguous as error:
            raise RosterError(f"The file {shown}, line {row.line}: {error}") from None
        if word and by_name[name.rstrip("/")] is None:
            raise RosterError(
                f"The file {shown} names nobody of the roster in line {row.line}: {one_line(word, 80)!r}."
            )
    return WhoIsWho(by_name)


def _of_worksheet(header: list[str], rows: Iterable[tables.Row], roster: Roster) -> dict[str, Student]:
    """Return who each participant is of those who are on the roster, by what stands beside the number."""
    found = {}
    for row in rows:
        cells = dict(zip(header, (cell.strip() for cell in row.cells), strict=False))
        number = re.sub(r"^\D*", "", cells.get("identifier", ""))
        for word in (cells.get(name, "") for name in _WORKSHEET):
            try:
                student = roster.find(Claim(word)) if word else None
            except Ambiguous:
                continue
            if student is not None and number:
                found[number] = student
                break
    return found
