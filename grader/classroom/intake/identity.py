"""Whose a submission is: by the roster, by the gradebook, and by nothing that others could have written.

A claim is what a submission says of whose it is. It is settled when all of it fits one person, and only then is it
anybody's: what is not settled gets no id of the roster or of the gradebook, is not graded, and is said in a sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from grader.classroom.book.standing import Student
from grader.safe_text import one_line

from .candidates import Candidate
from .groups import HANDED_IN
from .roster import Ambiguous, Claim, Roster, folded

ID_LENGTH = 100


@dataclass(frozen=True)
class Claimed:
    """A candidate, and whose it is."""

    candidate: Candidate
    student: Student | None = None
    unclear: str = ""  # one sentence, when that cannot be told
    maybe: tuple[str, ...] = ()  # of whom it may be then, by id; none: of anybody


def settle(candidates: Iterable[Candidate], roster: Roster, book: Sequence[Student]) -> list[Claimed]:
    """Return whose each candidate is; `book` is who has results already.

    Candidates of one person have the very same `Student`, however each of them spells the id.
    """
    known = Roster(tuple(book))
    claimed = [one for each in candidates for one in _each(each, roster, known)]
    groups: dict[str, list[Claimed]] = {}
    for each in claimed:
        if each.student is not None:
            groups.setdefault(folded(each.student.id), []).append(each)
    settled = {id(each): whose for group in groups.values() for each, whose in zip(group, _group(group), strict=True)}
    return [settled.get(id(each), each) for each in claimed]


def _each(candidate: Candidate, roster: Roster, known: Roster) -> list[Claimed]:
    """Return whose a candidate is: of one that bears a group's name and nobody's, everybody's in the group."""
    claim = candidate.claim
    one = _one(candidate, roster, known)
    members = roster.members(claim.word)
    if candidate.unclear or one.student in roster.students or not members:
        return [one]
    group = one_line(claim.word, 60)
    found = []
    for student in members:
        others = ", ".join(other.name or other.id for other in members if other != student) or "nobody else"
        notes = [*candidate.notes, f"{HANDED_IN} {group}, with {others}."]
        found.append(Claimed(replace(candidate, notes=notes), student))
    return found


def _one(candidate: Candidate, roster: Roster, known: Roster) -> Claimed:
    if candidate.unclear:
        return Claimed(candidate, None, candidate.unclear, candidate.maybe)
    try:
        student = roster.find(candidate.claim)
        if student is None:
            student = _stranger(candidate.claim, candidate.stranger, roster, known)
        return Claimed(candidate, student)
    except Ambiguous as error:
        return _unclear(candidate, str(error), error.students)


def _unclear(candidate: Candidate, why: str, students: Iterable[Student]) -> Claimed:
    maybe = tuple(student.id for student in students)
    return Claimed(candidate, None, f"Whose {candidate.origin} is cannot be told: {why}", maybe)


def _stranger(claim: Claim, stranger: Student, roster: Roster, known: Roster) -> Student:
    """Return who somebody is that is not on the roster. Raises Ambiguous for an id that is somebody else's."""
    plain = Student(clean_id(stranger.id), one_line(stranger.name, 100), one_line(stranger.email, 100))
    if (other := roster.with_id(plain.id)) is not None:
        raise Ambiguous(
            f"what it gives as {claim.shown} is the id of {other.name or other.id} on the roster.", (other,)
        )
    row = known.with_id(plain.id)
    if row is None:
        return plain
    if not _same_person(claim, row):
        raise Ambiguous(
            f"{claim.shown} would be {one_line(row.id, 80)}, who is {one_line(row.name or 'somebody', 80)} "
            f"({one_line(row.email or 'no address', 80)}) in the gradebook; say in a roster who has this id.",
            (row,),
        )
    return Student(row.id, row.name or plain.name, row.email or plain.email)


def _same_person(claim: Claim, row: Student) -> bool:
    """Tell whether a claim whose id is that of a row of the gradebook fits what else the row says."""
    if claim.email and row.email:
        return folded(claim.email) == folded(row.email)
    if claim.id or claim.word:
        return True
    return folded(claim.name) == folded(row.name or row.id)  # its id is an address or a name, and may be anybody's


def _group(group: list[Claimed]) -> list[Claimed]:
    """Let all candidates with one id be one person's, or nobody's where they give different addresses."""
    addresses = {folded(each.candidate.claim.email): each.candidate.claim.email for each in group}
    addresses.pop("", None)
    if len(addresses) > 1:
        first = group[0].student
        assert first is not None
        who = " and ".join(one_line(address, 80) for address in sorted(addresses.values())[:3])
        unclear = f"{one_line(first.id, 80)} is the id of different addresses ({who}); say in a roster whose it is."
        return [_unclear(each.candidate, unclear, (first,)) for each in group]
    students = [each.student for each in group if each.student is not None]
    name = next((student.name for student in students if student.name), "")
    email = next((student.email for student in students if student.email), "")
    one = Student(students[0].id, name, email)
    return [Claimed(each.candidate, one) for each in group]


def clean_id(text: str) -> str:
    r"""Return an id that is harmless to print, and another one for each text that is not the same to a person.

    Example: "two\nlines" -> "two lines#5b0c0a61", which "two lines" is not.
    """
    shown = one_line(text, ID_LENGTH)
    if shown and text.isprintable() and folded(shown) == folded(text):
        return shown
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{shown}#{digest}"
