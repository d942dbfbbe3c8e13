"""Clones of GitHub Classroom's repositories: a folder `m00-warmup-LOGIN` for each student.

`gh classroom clone student-repos` puts them into `m00-warmup-submissions`. Of the name a repository has, what stands
behind the assignment's is the account's on GitHub, or a team's.

Source: github.com/github/gh-classroom, cmd/gh-classroom/clone/student-repos/student-repos.go; the names of
repositories: docs.github.com, "Create an individual assignment".
"""

from __future__ import annotations

from grader.classroom.book.standing import Student

from ..layout import Part
from ..roster import Ambiguous, Claim, Roster
from .handed import LONGEST, Handed
from .names import People

_SUBMISSIONS = "-submissions"


def submissions(parts: list[Part], folder: str, people: People) -> list[Handed] | None:
    """Return the clones in a folder of that name, or None when its folders are called in another way."""
    slug = folder.removesuffix(_SUBMISSIONS) if folder.endswith(_SUBMISSIONS) else ""
    handed = [Handed(account(part.name, slug, people.roster), part) for part in parts if part.tree is not None]
    if slug and all(part.name.startswith(f"{slug}-") and part.name != folder for part in parts):
        return handed
    known = [each for each in handed if each.written != each.part.name and owners(each, people)]
    return handed if known and 2 * len(known) >= len(parts) else None


def account(repository: str, slug: str, roster: Roster) -> str:
    """Return the account or the team in a repository's name: "m00-warmup-ada-l" -> "ada-l", if the roster has it."""
    if slug and repository.startswith(f"{slug}-"):
        return repository[len(slug) + 1 :]
    pieces = repository.split("-") if len(repository) <= LONGEST else [repository]
    ends = ["-".join(pieces[start:]) for start in range(1, len(pieces))]
    known = [end for end in ends if has_login(end, roster)]
    return known[0] if len(known) == 1 else repository


def has_login(name: str, roster: Roster) -> bool:
    """Tell whether an account's name is somebody's on the roster, as the login or the id."""
    wanted = name.casefold()
    return any(wanted in (roster.known_by(each).login.casefold(), each.id.casefold()) for each in roster.students)


def owners(handed: Handed, people: People) -> list[Student]:
    """Return who has the account, or who is in the team."""
    try:
        student = people.roster.find(Claim(handed.written))
    except Ambiguous:
        return []
    return [student] if student is not None else people.members(handed.written)
