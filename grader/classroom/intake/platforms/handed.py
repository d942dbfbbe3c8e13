"""What a platform's download says of one submission, before anybody has looked at the roster."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from grader.classroom.book.standing import Student

from ..layout import Part
from ..roster import Claim
from ..trees import Tree

LONGEST = 400  # characters of a name that a platform has made: of a file, or of the folder in front of it


def matched(scheme: re.Pattern[str], name: str) -> re.Match[str] | None:
    """Return how a name follows a scheme; one that is longer than any platform's follows none."""
    return scheme.fullmatch(name) if len(name) <= LONGEST else None


@dataclass
class Handed:
    """One submission, named as its platform names it."""

    written: str  # whose it is, as the platform writes a name, an account or a group
    part: Part
    number: str = ""  # the platform's own number for whoever handed it in, where it has one
    anonymous: bool = False  # the platform hides whose it is
    unclear: str = ""  # why whose it is cannot be told, as the second half of a sentence
    maybe: list[Student] = field(default_factory=list)  # of whom it may be then; none: of anybody
    notes: list[str] = field(default_factory=list)  # one sentence each


def typed(written: str, shown: str, platform: str, number: str = "") -> Handed:
    """Return the submission of somebody who has typed something and handed in no file: it is not nothing."""
    refused = f"{shown} is what was typed into {platform}, and only files are taken; ask for the file"
    tree = Tree(shown, trouble={"": f"{refused}."})
    return Handed(written, Part(written, shown, tree), number)


@dataclass
class Exported:
    """One student's part of an export."""

    claim: Claim
    student: Student  # who it is where there is no roster, or nobody on it
    part: Part
    handed_in: str = ""
    problem: str = ""
    unclear: str = ""  # why whose it is cannot be told, in a sentence
    maybe: tuple[str, ...] = ()  # of whom it may be then, by id; none: of anybody
    notes: list[str] = field(default_factory=list)
    anonymous: bool = False
