"""Submissions of nobody on the roster: all of them, where a scheme of names is not known, or anonymous ones."""

from __future__ import annotations

from collections.abc import Sequence

from grader.safe_text import one_line

from .identity import Claimed
from .roster import Roster


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
