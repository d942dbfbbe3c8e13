"""What came in and is not clear: whose it is, or what is in it. Whoever it may be from has no mark, and so no 0.

A doubt is kept until what it is about has found its owner: the same module is theirs in the gradebook, or a person has
said that it is nobody's. That something else was read from the same place ends none, since a place such as
`submissions.zip` holds another week's work each week.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from .gradebook import Gradebook
from .results import Rows

ANYBODY = ""  # in the place of a student: whoever has handed in nothing else
ANY_MODULE = ""  # in the place of a milestone: what is in it is not known
# Why, for students too, who read it in the place of a mark: no other student is named.
SEVERAL = "It came in under a name that may mean several people, and nobody has said yet whose it is."
SOMEBODYS = "It may have come in under a name that does not say whose it is, and nobody has said yet."
HIDDEN = "The platform does not say whose it is while marking is blind."
UNREADABLE = "What was handed in could not be read."
TWICE = "It was handed in several times, and nothing says which counts."
MISTAKEN = "A file was handed in whose name is nearly that of the module, and not quite."
UNOPENED = "An archive was handed in beside modules, and was not opened."
NOT_ASKED = "It was handed in, and has not been taken in yet."
_ALL = "SELECT run, origin, student, milestone, content, why FROM doubt ORDER BY id"
_MODULES = "SELECT run, student, milestone, source, origin FROM module"


@dataclass(frozen=True)
class Doubt:
    """One thing that came in."""

    origin: str  # where it lies, as sentences name it
    why: str  # one sentence that students may read and that names nobody; empty: a person has said it is nobody's
    students: tuple[str, ...] = ()  # whose it may be, by id; none: anybody's
    contents: Mapping[str, str] = field(default_factory=dict)  # milestone → SHA-256 of its module; empty: not known


@dataclass(frozen=True)
class _Row:
    run: int
    origin: str
    student: str
    milestone: str
    content: str
    why: str

    @property
    def place(self) -> str:
        """Where it lies in its source, whatever the source is called: the next download has another name."""
        _, archive, inside = self.origin.partition("!")
        return inside if archive else self.origin.rpartition("/")[2]


def enter(book: Gradebook, run: int, doubts: Iterable[Doubt]) -> None:
    """Note doubts; one that the book has already adds no row."""
    known = {(row.origin, row.student, row.milestone, row.content): row.why for row in _rows(book)}
    for doubt in doubts:
        for student in doubt.students or (ANYBODY,):
            for milestone, content in (doubt.contents or {ANY_MODULE: ""}).items():
                place = doubt.origin, student, milestone, content
                settled = content and known.get(place) == ""  # nobody's, and still the very same
                if not settled and known.get(place) != doubt.why:
                    book.insert(
                        "INSERT INTO doubt (run, origin, student, milestone, content, why) VALUES (?, ?, ?, ?, ?, ?)",
                        (run, *place, doubt.why),
                    )
                    known[place] = doubt.why


def nobodys(book: Rows, origin: str) -> list[Doubt]:
    """Return what ends the doubts about something: it is nobody's."""
    rows = [row for row in _rows(book) if row.origin == origin]
    return [Doubt(origin, "", (row.student,), {row.milestone: row.content}) for row in rows]


def open_doubts(
    book: Rows, students: Collection[str], milestones: Collection[str]
) -> dict[tuple[str, str], tuple[str, bool]]:
    """Return (student, milestone) → why there is a doubt, and whether it is about somebody like this student alone.

    `students` are those whom what may be anybody's is about.
    """
    latest = {(row.origin, row.student, row.milestone, row.content): row for row in _rows(book)}
    rows = [row for row in latest.values() if row.why]
    if not rows:
        return {}
    entered = _Entered(book)
    hands: dict[tuple[str, str], set[str]] = {}  # the very same module may have come in from several
    maybe: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        hands.setdefault((row.milestone, row.content), set()).add(row.place)
        maybe.setdefault((row.origin, row.milestone, row.content), set()).add(row.student)
    found: dict[tuple[str, str], tuple[str, bool]] = {}
    anybodys: dict[str, str] = {}
    for row in rows:
        if row.why == NOT_ASKED and entered.has(row):
            continue
        whose = maybe[row.origin, row.milestone, row.content]
        among = set(students) if ANYBODY in whose else whose
        if row.content and len(entered.owners(row) & among) >= len(hands[row.milestone, row.content]):
            continue
        for milestone in [row.milestone] if row.milestone else milestones:
            if row.student == ANYBODY and not row.content and entered.was_read(row.origin, milestone):
                continue
            if row.student and row.why == NOT_ASKED:
                found.setdefault((row.student, milestone), (row.why, False))
            elif row.student:
                found[row.student, milestone] = row.why, True
            else:
                anybodys.setdefault(milestone, row.why)
    for milestone, why in anybodys.items():
        for student in students:
            found.setdefault((student, milestone), (why, False))
    return found


class _Entered:
    """Which modules the gradebook has of students, and from where."""

    def __init__(self, book: Rows) -> None:
        self._owners: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self._origins: dict[str, set[str]] = {}
        self._students = set()
        for run, student, milestone, source, origin in book.rows(_MODULES):
            self._owners.setdefault((milestone, source or ""), []).append((run, student))
            self._origins.setdefault(milestone, set()).add(origin)
            self._students.add(student)

    def has(self, row: _Row) -> bool:
        """Tell whether the gradebook has of somebody what a run left alone, or anything where that is not known."""
        theirs = (student for _, student in self._owners.get((row.milestone, row.content), []))
        return row.student in (theirs if row.content else self._students)

    def owners(self, row: _Row) -> set[str]:
        """Return whose the very module is that a doubt is about, where it was entered since."""
        return {student for run, student in self._owners.get((row.milestone, row.content), []) if run > row.run}

    def was_read(self, source: str, milestone: str) -> bool:
        """Tell whether modules of a milestone were taken from a place, by whatever path it was named."""
        place = re.compile(rf"(.*/)?{re.escape(source.rpartition('/')[2])}([!/].*)?", re.DOTALL)
        return any(place.fullmatch(origin) for origin in self._origins.get(milestone, ()))


def _rows(book: Rows) -> list[_Row]:
    return [_Row(*row) for row in book.rows(_ALL)]
