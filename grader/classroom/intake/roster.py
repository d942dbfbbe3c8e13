"""The roster: who belongs to the class, read from a CSV file with the columns id, name and email."""

from __future__ import annotations

import csv
import functools
import io
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from grader import files
from grader.classroom.book.standing import Student
from grader.files import reason
from grader.safe_text import one_line

FILE_LIMIT = 4 * 1024 * 1024  # bytes: far more than any university has students
COLUMNS = ("id", "name", "email")


class RosterError(Exception):
    """The roster cannot be used; the text is one sentence."""


class Ambiguous(Exception):
    """What was handed in names more than one student; the text is one sentence."""


@dataclass(frozen=True)
class Claim:
    """Who a submission says it is from; a part that is not known is empty.

    `word` is a name that may be any of the three, as a folder's is.
    """

    word: str = ""
    id: str = ""
    email: str = ""
    name: str = ""

    @property
    def shown(self) -> str:
        """The claim as a person would say it."""
        return one_line(self.word or self.name or self.email or self.id, 80)


@dataclass(frozen=True)
class Roster:
    """A class, in the order of its file."""

    students: tuple[Student, ...] = field(default_factory=tuple)

    def find(self, claim: Claim) -> Student | None:
        """Return the student who is meant: by id, then by email, then by name, each as it is spelled and then folded.

        Nothing is guessed: a part of a name, or a likely spelling of it, finds nobody.
        Raises Ambiguous when two students answer to the claim, or when one part of it says somebody else than another.
        """
        by_id = self._one(claim.id or claim.word, "id")
        by_email = self._one(claim.email or claim.word, "email")
        if claim.id and by_id and by_email and by_id != by_email:
            raise Ambiguous(
                f"{claim.shown} has the id of {_named(by_id)} and the email of {_named(by_email)}; "
                "say in the roster which of the two it is."
            )
        found = by_id or by_email or self._one(claim.name or claim.word, "name")
        if found is None:
            return None
        if claim.email and found.email and folded(claim.email) != folded(found.email):
            raise Ambiguous(
                f"{claim.shown} has the {'id' if by_id else 'name'} of {_named(found)} and another address than the "
                f"roster, {one_line(claim.email, 80)}; if it is that student's, write it into the roster."
            )
        if claim.id and not (by_id or by_email):
            raise Ambiguous(
                f"{claim.shown} has the name of {_named(found)} and another id than the roster, "
                f"{one_line(claim.id, 80)}; if it is that student's, write it into the roster."
            )
        return found

    def with_id(self, wanted: str) -> Student | None:
        """Return the student with an id, as it is spelled and then folded. Raises Ambiguous when two have it."""
        return self._one(wanted, "id")

    def _one(self, wanted: str, column: str) -> Student | None:
        if not wanted.strip():
            return None
        as_spelled, when_folded = self._index[column]
        for found in (as_spelled.get(wanted, []), when_folded.get(folded(wanted), [])):
            if len(found) > 1:
                who = " and ".join(_named(student) for student in found[:3])
                raise Ambiguous(f"{one_line(wanted, 80)} may be {who}; name it by the student's id.")
            if found:
                return found[0]
        return None

    @functools.cached_property
    def _index(self) -> dict[str, tuple[dict[str, list[Student]], dict[str, list[Student]]]]:
        """Return for each column who has a text in it, as it is spelled and folded."""
        index: dict[str, tuple[dict[str, list[Student]], dict[str, list[Student]]]] = {}
        for column in COLUMNS:
            as_spelled, when_folded = index[column] = {}, {}
            for student in self.students:
                text = getattr(student, column)
                as_spelled.setdefault(text, []).append(student)
                when_folded.setdefault(folded(text), []).append(student)
        return index


def folded(text: str) -> str:
    """Return a name as it is compared: one way to write each letter, no case, single spaces for spaces and underscores.

    Example: "  ANNA_mueller " -> "anna mueller".
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", " ").split())


def load_roster(path: Path) -> Roster:
    """Read a roster: a CSV file in UTF-8 whose first line names the columns id, name and email, in any order.

    Commas, semicolons or tabs part the columns; other columns are left alone, and name and email may be absent.
    Raises RosterError when the file cannot be read, has no ids, or has two students with one id.
    """
    shown = one_line(str(path), 200)
    try:
        text = files.read(path, FILE_LIMIT).decode("utf-8-sig")
    except FileNotFoundError:
        raise RosterError(f"There is no roster {shown}.") from None
    except UnicodeDecodeError:
        raise RosterError(f"The roster {shown} is not UTF-8; save it as CSV in UTF-8.") from None
    except (OSError, ValueError) as error:
        raise RosterError(f"The roster {shown} cannot be read: {reason(error)}.") from error
    try:
        return Roster(tuple(_students(text, shown)))
    except csv.Error as error:
        raise RosterError(f"The roster {shown} is no CSV file: {one_line(str(error), 80)}.") from error


def _students(text: str, shown: str) -> Iterable[Student]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator(text), strict=True)
    header = [folded(cell) for cell in next(rows, [])]
    if "id" not in header:
        raise RosterError(f"The roster {shown} needs a first line that names its columns: id,name,email.")
    for column in COLUMNS:
        if header.count(column) > 1:
            raise RosterError(f"The roster {shown} has two columns named {column}.")
    lines: dict[str, int] = {}
    for row in rows:
        line = rows.line_num
        cells = dict(zip(header, (one_line(cell, 200) for cell in row), strict=False))
        if not any(cells.values()):
            continue
        student = Student(*(cells.get(column, "") for column in COLUMNS))
        if not student.id:
            raise RosterError(f"The roster {shown} has no id in line {line}.")
        if (before := lines.setdefault(folded(student.id), line)) != line:
            raise RosterError(f"The roster {shown} has the id {student.id} twice, in lines {before} and {line}.")
        yield student
    if not lines:
        raise RosterError(f"The roster {shown} names nobody.")


def separator(text: str) -> str:
    """Return what parts the columns of a CSV text: whichever of comma, semicolon and tab its first line has most of."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _named(student: Student) -> str:
    return f"{student.name} ({student.id})" if student.name else student.id
