"""Blackboard's "Assignment File Download": `ASSIGNMENT_USERNAME_attempt_2026-03-01-21-10-05_FILE`, flat.

Beside it lies `ASSIGNMENT_USERNAME_attempt_2026-03-01-21-10-05.txt` for each attempt, with what was typed. The time has
no offset, so that it only tells which attempt is the last.

Source: Blackboard Learn's source is closed. The scheme is as tools that sort such downloads read it, among them
github.com/jeroendoggen/blackboard-analysis-tools and BBGradebookOrganiser.
"""

from __future__ import annotations

import re

from grader.classroom.book.standing import Student

from ..layout import Part
from ..roster import Ambiguous, Claim
from ..trees import Entry, Tree, beneath
from .handed import Handed, matched
from .names import People

_ATTEMPT = re.compile(r"(?P<head>.+?)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)", re.DOTALL)


def submissions(tree: Tree, people: People) -> tuple[list[Handed], list[str]] | None:
    """Return each student's last attempt and what there is to say about it, or None when it is no such download."""
    attempts: dict[str, dict[str, list[Entry]]] = {}
    for entry in tree.files:
        if match := matched(_ATTEMPT, entry.name):
            files = attempts.setdefault(match["head"], {}).setdefault(match["time"], [])
            if match["file"]:
                files.append(Entry((match["file"],), entry.read, entry.refused))
    if not attempts:
        return None
    assignment = _assignment(list(attempts))
    handed = []
    for head, by_time in attempts.items():
        last = max(by_time)
        account = _account(head, assignment, people)
        shown = beneath(tree.shown, f"{head}_attempt_{last}")
        one = Handed(account, Part(account, shown, Tree(shown, by_time[last])))
        if len(by_time) > 1:
            others = ", ".join(sorted(set(by_time) - {last})[:3])
            one.notes.append(f"The last of {len(by_time)} attempts was taken, of {last}; the others are of {others}.")
        handed.append(one)
    return handed, []


def named(name: str) -> bool:
    """Tell whether a name is one that Blackboard gives."""
    return bool(matched(_ATTEMPT, name))


def _assignment(heads: list[str]) -> str:
    """Return what all heads begin with, up to an underscore: the assignment's name. Nothing for a single one."""
    if len(heads) < 2:
        return ""
    first, last = min(heads), max(heads)
    alike = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    return first[: first[:alike].rfind("_") + 1]


def _account(head: str, assignment: str, people: People) -> str:
    """Return the name of the account: the one behind an underscore that is on the roster, else what all differ in."""
    pieces = head.split("_")
    ends = ["_".join(pieces[start:]) for start in range(1, len(pieces))]
    known = [end for end in ends if owners(end, people)]
    if len(known) == 1:
        return known[0]
    return head.removeprefix(assignment) if assignment else pieces[-1]


def owners(account: str, people: People) -> list[Student]:
    """Return who has an account's name: as the id, the login, or what stands before the @ of an address."""
    try:
        student = people.roster.find(Claim(account))
    except Ambiguous:
        return []
    if student is not None:
        return [student]
    name = account.casefold()
    return [each for each in people.roster.students if each.email.casefold().partition("@")[0] == name]
