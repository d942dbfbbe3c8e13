"""What is not clear yet, for whoever exports marks: no mark is written for it, and nothing is 0 without a word."""

from __future__ import annotations

from grader.classroom.book.standing import ClassResult
from grader.reports import words

from .sheets import listed


def doubted(result: ClassResult) -> list[str]:
    """Return a sentence for each milestone and reason: who has no mark, and whose mark may be an earlier one's."""
    without: dict[tuple[str, str], list[str]] = {}
    earlier: dict[tuple[str, str], list[str]] = {}
    for one in result.standings:
        for column in result.columns:
            if why := one.doubts.get(column.milestone):
                kept = one.mark(column.milestone) is not None
                (earlier if kept else without).setdefault((column.milestone, why), []).append(one.student.id)
    found = [
        f"{words.short(name)} has no mark for {listed(who)}: {why} `classroom` names it and says what to do."
        for (name, why), who in sorted(without.items())
    ]
    return found + [
        f"{words.short(name)} counts as it did before for {listed(who)}, though there is more: {why}"
        for (name, why), who in sorted(earlier.items())
    ]


def zeros(result: ClassResult) -> list[str]:
    """Return a sentence for each milestone that is 0 for somebody since nothing was handed in when it was due."""
    found = []
    for column in result.columns:
        name = column.milestone
        who = [one.student.id for one in result.standings if name in one.zeros and one.mark(name) == 0]
        guests = [one.student.id for one in result.standings if one.guest and name in one.milestones]
        also = f" On no roster, and with it: {listed(guests)}; look whether that is one of theirs." if guests else ""
        if who:
            found.append(
                f"{words.short(name)} is 0 for {listed(who)}, since nothing was handed in when it was due.{also}"
            )
    return found
