"""The roster: who belongs to the class, read from a CSV file: one's own, or as a platform exports it."""

from __future__ import annotations

import csv
import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader import files, tables
from grader.classroom.book.standing import Student
from grader.files import reason
from grader.safe_text import one_line

from .roster_columns import Columns, Member

FILE_LIMIT = 4 * 1024 * 1024  # bytes: far more than any university has students
COLUMNS = ("id", "name", "email")


class RosterError(Exception):
    """The roster cannot be used; the text is one sentence."""


class Ambiguous(Exception):
    """What was handed in names more than one student; the text is one sentence, and `students` are who may be meant."""

    def __init__(self, sentence: str, students: Sequence[Student] = ()) -> None:
        super().__init__(sentence)
        self.students = tuple(students)


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
class Keys:
    """What platforms know a student by, beside id, name and address."""

    login: str = ""
    canvas: str = ""  # Canvas's own number for a user, which stands in the names of its downloads
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Roster:
    """A class, in the order of its file."""

    students: tuple[Student, ...] = field(default_factory=tuple)
    keys: dict[str, Keys] = field(default_factory=dict, compare=False)  # by the student's id
    said: str = field(default="", compare=False)  # which columns were taken for what, where that is not plain

    def find(self, claim: Claim) -> Student | None:
        """Return the student who is meant: by id, email, login, then name, each as it is spelled and then folded.

        Nothing is guessed: a part of a name, or a likely spelling of it, finds nobody.
        Raises Ambiguous when two students answer to the claim, or when one part of it says somebody else than another.
        """
        by_id = self._one(claim.id or claim.word, "id")
        by_email = self._one(claim.email or claim.word, "email")
        if claim.id and by_id and by_email and by_id != by_email:
            raise Ambiguous(
                f"{claim.shown} has the id of {_named(by_id)} and the email of {_named(by_email)}; "
                "say in the roster which of the two it is.",
                (by_id, by_email),
            )
        by_login = None if claim.id else self._one(claim.word, "login")
        found = by_id or by_email or by_login or self._one(claim.name or claim.word, "name")
        if found is None:
            return None
        if claim.email and found.email and folded(claim.email) != folded(found.email):
            raise Ambiguous(
                f"{claim.shown} has the {'id' if by_id else 'name'} of {_named(found)} and another address than the "
                f"roster, {one_line(claim.email, 80)}; if it is that student's, write it into the roster.",
                (found,),
            )
        if claim.id and not (by_id or by_email):
            raise Ambiguous(
                f"{claim.shown} has the name of {_named(found)} and another id than the roster, "
                f"{one_line(claim.id, 80)}; if it is that student's, write it into the roster.",
                (found,),
            )
        return found

    def with_id(self, wanted: str) -> Student | None:
        """Return the student with an id, as it is spelled and then folded. Raises Ambiguous when two have it."""
        return self._one(wanted, "id")

    def members(self, group: str) -> list[Student]:
        """Return who is in a group, in the roster's order."""
        return self._groups.get(folded(group), [])

    @functools.cached_property
    def _groups(self) -> dict[str, list[Student]]:
        groups: dict[str, list[Student]] = {}
        for student in self.students:
            for name in {folded(group) for group in self.known_by(student).groups} - {""}:
                groups.setdefault(name, []).append(student)
        return groups

    def known_by(self, student: Student) -> Keys:
        """Return what platforms know a student by."""
        return self.keys.get(student.id, Keys())

    def _one(self, wanted: str, column: str) -> Student | None:
        if not wanted.strip():
            return None
        as_spelled, when_folded = self._index[column]
        meant = folded(turned(wanted) if column == "name" else wanted)
        for found in (as_spelled.get(wanted, []), when_folded.get(meant, [])):
            if len(found) > 1:
                who = " and ".join(_named(student) for student in found[:3])
                raise Ambiguous(f"{one_line(wanted, 80)} may be {who}; name it by the student's id.", found)
            if found:
                return found[0]
        return None

    @functools.cached_property
    def _index(self) -> dict[str, tuple[dict[str, list[Student]], dict[str, list[Student]]]]:
        """Return for each column who has a text in it, as it is spelled and folded."""
        index: dict[str, tuple[dict[str, list[Student]], dict[str, list[Student]]]] = {}
        for column in (*COLUMNS, "login"):
            as_spelled, when_folded = index[column] = {}, {}
            for student in self.students:
                text = self.known_by(student).login if column == "login" else getattr(student, column)
                as_spelled.setdefault(text, []).append(student)
                when_folded.setdefault(folded(turned(text) if column == "name" else text), []).append(student)
        return index


def folded(text: str) -> str:
    """Return a name as it is compared: one way to write each letter, no case, single spaces for spaces and underscores.

    Example: "  ANNA_mueller " -> "anna mueller".
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", " ").split())


def turned(name: str) -> str:
    """Return a name with its first name first: "Lovelace, Ada" -> "Ada Lovelace"."""
    last, comma, first = name.partition(",")
    return f"{first} {last}" if comma and first.strip() and last.strip() and "," not in first else name


def load_roster(path: Path) -> Roster:
    """Read a roster: a CSV file whose first line names its columns, id, name and email or as a platform heads them.

    Commas, semicolons or tabs part the columns; other columns are left alone, and name and email may be absent.
    Raises RosterError when the file cannot be read, has no ids, or has two students with one id.
    """
    shown = one_line(str(path), 200)
    try:
        rows, _ = tables.rows(tables.decoded(files.read(path, FILE_LIMIT)))
    except FileNotFoundError:
        raise RosterError(f"There is no roster {shown}.") from None
    except tables.NoTable as error:
        raise RosterError(f"The roster {shown} {error}.") from None
    except csv.Error as error:
        raise RosterError(f"The roster {shown} is no CSV file: {one_line(str(error), 80)}.") from error
    except (OSError, ValueError) as error:
        raise RosterError(f"The roster {shown} cannot be read: {reason(error)}.") from error
    columns = Columns(rows[0].cells if rows else [])
    if not columns.ids:
        raise RosterError(f"The roster {shown} needs a first line that names its columns: id,name,email.")
    if twice := columns.twice():
        raise RosterError(f"The roster {shown} has two columns named {twice}.")
    members = columns.members(rows[1:])
    _check(members, shown)
    students = tuple(Student(member.id, member.name, member.email) for member in members)
    keys = {member.id: Keys(member.login, member.canvas, member.groups) for member in members}
    return Roster(students, keys, "" if columns.own_words else columns.said(shown))


def _check(members: list[Member], shown: str) -> None:
    lines: dict[str, int] = {}
    for member in members:
        if not member.id:
            raise RosterError(f"The roster {shown} has no id in line {member.line}.")
        if (before := lines.setdefault(folded(member.id), member.line)) != member.line:
            raise RosterError(f"The roster {shown} has the id {member.id} twice, in lines {before} and {member.line}.")
    if not lines:
        raise RosterError(f"The roster {shown} names nobody.")


def _named(student: Student) -> str:
    return f"{student.name} ({student.id})" if student.name else student.id
