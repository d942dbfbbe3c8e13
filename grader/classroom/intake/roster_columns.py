"""Which columns of a roster say what, however the platform that exported it heads them.

Headings are compared without case, signs and underscores. Those of Canvas, Moodle, Gradescope, Brightspace and GitHub
Classroom are in English as their exports write them; of Moodle's also in German, French and Spanish.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader.safe_text import one_line
from grader.tables import Row

# In the order in which they are asked; of the ids the first that everybody has is taken.
ID = (
    "id", "student id", "sid", "sis user id", "sis id", "id number", "orgdefinedid", "identifier", "student number",
    "matriculation number", "matrikelnummer", "id nummer", "numero d identification", "numero de id",
)  # fmt: skip
LOGIN = ("sis login id", "username", "user name", "login", "login id", "github username", "anmeldename")
EMAIL = (
    "email", "e mail", "email address", "e mail address", "mail", "e mail adresse", "adresse de courriel",
    "direccion de correo",
)  # fmt: skip
NAME = ("name", "student", "full name", "student name", "vollstandiger name", "nom complet", "nombre completo")
FIRST = ("first name", "firstname", "given name", "vorname", "prenom", "nombre")
LAST = (
    "last name",
    "lastname",
    "surname",
    "family name",
    "nachname",
    "nom de famille",
    "nom",
    "apellido s",
    "apellidos",
)
GROUP = ("group", "groups", "group name", "team", "teams", "gruppe", "gruppen", "groupe", "groupes", "grupo", "grupos")
ROLE = ("role",)
STAFF = {"instructor", "ta", "reader", "teacher", "grader", "observer", "designer", "teaching assistant"}
_CANVAS_ONLY = {"section", "sis user id", "sis login id", "root account", "integration id"}
_NO_STUDENT = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE)
_SPLIT_GROUPS = re.compile(r"[;|]|,\s")


def plain(heading: str) -> str:
    """Return a heading as it is compared: "E-Mail_Address " -> "e mail address"."""
    letters = unicodedata.normalize("NFKD", heading).casefold()
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.sub(r"[\W_]+", " ", letters).split())


@dataclass
class Member:
    """One line of a roster, understood."""

    line: int
    id: str
    name: str
    email: str
    login: str = ""
    canvas: str = ""  # Canvas's own number for a user
    groups: tuple[str, ...] = ()


class Columns:
    """The columns of one roster; `taken` says after `members` which were taken for what."""

    def __init__(self, header: Sequence[str]) -> None:
        self.header = list(header)
        self._plain = [plain(name) for name in header]
        self.canvas = bool({"student", "lastname"} & set(self._plain)) and "id" in self._plain
        self.canvas = self.canvas and bool(_CANVAS_ONLY & set(self._plain))
        self.brightspace = "orgdefinedid" in self._plain or "end of line indicator" in self._plain
        self.taken: dict[str, list[int]] = {}
        self.left_out: list[str] = []

    @property
    def own_words(self) -> bool:
        """Tell whether the columns are headed with this project's own words, so that nothing had to be understood."""
        return not self.canvas and "id" in self._plain and not ({*FIRST, *LAST, *LOGIN, *GROUP} & set(self._plain))

    @property
    def ids(self) -> list[int]:
        """Return the columns that may be everybody's id, best first; an e-mail address only of a whole export."""
        if not self.canvas and "id" in self._plain:
            return [self._plain.index("id")]
        found = self._all([name for name in ID if name != "id"]) + self._all(LOGIN)
        found += self._all(["id"]) if self.canvas else []
        exported = {*FIRST, *LAST, *EMAIL[2:]} & set(self._plain)
        return found + (self._all(EMAIL) if found or exported else [])

    def twice(self) -> str:
        """Return a heading that stands twice and would be taken, or nothing."""
        known = {*ID, *LOGIN, *EMAIL, *NAME, *FIRST, *LAST, *GROUP}
        return next((name for name in self._plain if name in known and self._plain.count(name) > 1), "")

    def members(self, rows: Iterable[Row]) -> list[Member]:
        """Return who is in the class, in order; what is no student's line is left out, and said in `left_out`."""
        lines = [Row(row.line, [one_line(cell, 200) for cell in row.cells]) for row in rows]
        people = [row for row in lines if self._is_student(row.cells)]
        id_column = self._id_column(people)
        self._note("id", [id_column])
        first, last, names = self._all(FIRST)[:1], self._all(LAST)[:1], self._all(NAME)[:1]
        name_columns = first + last if first and last else names or first or last
        emails, logins, groups = self._all(EMAIL)[:1], self._all(LOGIN), self._all(GROUP)
        self._note("name", name_columns)
        self._note("email", emails)
        self._note("login", [column for column in logins if column != id_column][:1])
        self._note("group", groups)
        canvas = self._all(["id"]) if self.canvas else []
        self._note("Canvas's number", [column for column in canvas if column != id_column])
        return [
            Member(
                row.line,
                self._key(row, [id_column]),
                self._name(row, name_columns),
                self._joined(row, emails),
                self._key(row, logins),
                self._joined(row, canvas),
                self._groups(row, groups),
            )
            for row in people
        ]

    def said(self, shown: str) -> str:
        """Return the sentence that says which columns were taken for what."""
        parts = [
            f"{what} from {' and '.join(one_line(self.header[column], 60) for column in columns)}"
            for what, columns in self.taken.items()
        ]
        left = f"; left out: {', '.join(self.left_out[:5])}" if self.left_out else ""
        return f"The roster {shown} gives {', '.join(parts)}{left}."

    def _is_student(self, cells: list[str]) -> bool:
        if not any(cells):
            return False
        if self.canvas and ("Points Possible" in cells[0] or all(_NO_STUDENT.fullmatch(cell) for cell in cells)):
            return False
        if self.canvas and cells[0] in ("Student, Test", "Test Student"):
            self.left_out.append("Canvas's test student")
            return False
        role = " ".join(self._cells(Row(0, cells), self._all(ROLE))).casefold()
        if role in STAFF:
            self.left_out.append(f"{self._joined(Row(0, cells), self._all(EMAIL)[:1]) or 'somebody'} ({role})")
        return role not in STAFF

    def _id_column(self, people: list[Row]) -> int:
        """Return the first column of ids in which everybody has one of their own; the first of all if none has."""
        for column in self.ids:
            values = [key.casefold() for row in people if (key := self._key(row, [column]))]
            if len(values) == len(people) == len(set(values)):
                return column
        return self.ids[0]

    def _all(self, names: Sequence[str]) -> list[int]:
        return [self._plain.index(name) for name in names if name in self._plain]

    def _note(self, what: str, columns: list[int]) -> None:
        if columns:
            self.taken[what] = columns

    def _cells(self, row: Row, columns: list[int]) -> list[str]:
        return [row.cells[column] for column in columns if column < len(row.cells) and row.cells[column]]

    def _joined(self, row: Row, columns: list[int]) -> str:
        return " ".join(self._cells(row, columns))

    def _name(self, row: Row, columns: list[int]) -> str:
        """Return somebody's name; Canvas writes the last name first, and a comma behind it."""
        name = " ".join(self._joined(row, columns).split())
        last, comma, first = name.partition(", ")
        return f"{first} {last}" if self.canvas and comma and first and "," not in first else name

    def _groups(self, row: Row, columns: list[int]) -> tuple[str, ...]:
        parts = [part.strip() for cell in self._cells(row, columns) for part in _SPLIT_GROUPS.split(cell)]
        return tuple(part for part in parts if part)

    def _key(self, row: Row, columns: list[int]) -> str:
        """Return the first of some columns that is not empty; Brightspace puts a # before ids and names of users."""
        key = next(iter(self._cells(row, columns)), "")
        return key.removeprefix("#") if self.brightspace else key
