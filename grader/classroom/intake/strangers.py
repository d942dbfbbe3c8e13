"""Submissions of nobody on the roster: all of them, where a scheme of names is not known, or anonymous ones."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from grader.classroom.book.standing import Student
from grader.safe_text import one_line

from .identity import Claimed
from .roster import Roster

_LETTERS = 5  # of an account's name that say anything
_RATIO = 0.85
_COMPARED = 2000  # people; of more only those who share a whole word


def all_strange(claimed: Sequence[Claimed], roster: Roster) -> str:
    """Return the sentence where no submission is anybody's on the roster, or an empty string.

    One whose owner cannot be told is nobody's, and anonymous ones may be anybody's.
    """
    strangers = [each for each in claimed if each.student is not None and not each.candidate.anonymous]
    on_it = set(roster.students)
    if (
        not on_it
        or not strangers
        or any(each.student in on_it for each in claimed)
        or len(strangers) < len(claimed) / 2
    ):
        return ""
    first = strangers[0].candidate
    many = f"None of the {len(strangers)} submissions is" if len(strangers) > 1 else "The only submission is not"
    called = first.claim.shown or first.stranger.id
    return (
        f"{many} on the roster, so nothing was graded: {one_line(first.origin, 120)} is called {called}. "
        "Name folders by id, address or name, take the roster from where the submissions come from, name everybody's "
        "group if they are teams' (in the roster, or with --groups), or leave out --roster."
    )


def said_of_hidden(claimed: Sequence[Claimed]) -> str:
    """Return the sentence for submissions whose platform hides whose they are."""
    hidden = [each for each in claimed if each.candidate.anonymous and each.student is not None]
    assert hidden[0].student is not None
    many = f"{len(hidden)} submissions are" if len(hidden) > 1 else "1 submission is"
    return (
        f"{many} anonymous, and kept as the platform numbers them ({hidden[0].student.id}); "
        "who has handed in nothing cannot be told."
    )


def like_others(strangers: Sequence[Claimed], missing: Sequence[Student], roster: Roster, teams: bool) -> list[Claimed]:
    """Return the strangers who may be somebody of whom nothing came in, with a sentence about each, and who that is.

    `teams` says that others have handed in under groups' names, so that one that is no group's may be a team's as well.
    """
    likenesses = Likenesses(missing if strangers else (), roster)
    found = []
    for each in strangers:
        assert each.student is not None
        if maybe := likenesses.of(each):
            who = " or ".join(f"{one.name or one.id} ({one.id})" for one in maybe[:3])
            said = (
                f"{one_line(each.student.name or each.student.id, 100)} is not on the roster ({each.candidate.origin}) "
                f"and may be {who}, of whom nothing else came in."
            )
            found.append(replace(each, unclear=said, maybe=tuple(one.id for one in maybe)))
        elif teams and missing:
            said = (
                f"{one_line(each.student.name or each.student.id, 100)} is neither on the roster nor a group of it "
                f"({each.candidate.origin}), where others have handed in as groups, and {len(missing)} of the class "
                "have not; say who is in it (in the roster, or with --groups)."
            )
            found.append(replace(each, unclear=said))
    return found


class Likenesses:
    """Who may be meant by somebody who is on no roster: never enough for a mark, but enough for no 0.

    All words of the shorter name are in the longer one, nearly all letters are the same, or an account holds one.
    Example: "Ada King Lovelace", "Ada Lovelcae" and "alovelace" may be Ada Lovelace.
    """

    def __init__(self, students: Sequence[Student], roster: Roster) -> None:
        self._students = students
        self._names: list[list[Sequence[str]]] = []
        self._with: dict[str, set[int]] = {}  # a word → who has it
        for place, student in enumerate(students):
            texts = (student.name, student.email.partition("@")[0], roster.known_by(student).login)
            self._names.append([words for text in texts if (words := _words(text))])
            for word in {word for words in self._names[-1] for word in words}:
                self._with.setdefault(word, set()).add(place)

    def of(self, stranger: Claimed) -> list[Student]:
        """Return who may be meant by a stranger."""
        assert stranger.student is not None
        claim, one = stranger.candidate.claim, stranger.student
        texts = {claim.word, claim.name, claim.email.partition("@")[0], one.id, one.name}
        written = [words for text in texts if (words := _words(text))]
        places = {place for words in written for word in words for place in self._with.get(word, ())}
        if len(self._students) <= _COMPARED:  # letter by letter
            places = set(range(len(self._students)))
        return [
            self._students[place]
            for place in sorted(places)
            if any(_alike(words, name) for words in written for name in self._names[place])
        ]


def _words(text: str) -> list[str]:
    letters = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter) and letter not in "'’")
    return re.findall(r"[^\W_]+", plain)


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    few, many = sorted((one, other), key=len)
    if len(few) > 1 and set(few) <= set(many):
        return True
    first, second = "".join(sorted(one)), "".join(sorted(other))
    if min(len(first), len(second)) >= _LETTERS and SequenceMatcher(None, first, second).ratio() >= _RATIO:
        return True
    return len(few) == 1 and any(len(word) >= _LETTERS and word in few[0] and not word.isdigit() for word in many)
