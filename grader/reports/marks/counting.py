"""What counts otherwise than it was earned: lateness, what people decided, and what is not released yet."""

from __future__ import annotations

from grader.classroom.book.standing import ClassResult, Standing
from grader.reports import words

from .feedback import changed, lateness
from .sheets import listed


def without_mark(result: ClassResult) -> list[str]:
    """Return why there is no mark, a sentence for each milestone and reason; of milestones that somebody has begun."""
    begun = {name for one in result.standings for name in (*one.milestones, *one.waiting)}
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in result.standings:
        for name, reason in {**one.absent, **one.waiting}.items():
            left_out = name in one.pending or name in one.excused
            if name in begun and not left_out and one.mark(name) is None:
                reasons.setdefault((name, reason), []).append(one.student.name or one.student.id)
    return [f"{words.short(name)}: {reason} ({listed(who, 6)})" for (name, reason), who in sorted(reasons.items())]


def counting(result: ClassResult) -> dict[str, list[str]]:
    """Return what counts otherwise than it was earned: a title, and a sentence for each student's milestone."""
    late, changed, drafts = [], [], []
    for one in result.standings:
        who = _who(one)
        for column in result.columns:
            name = column.milestone
            short = words.short(name)
            if name in one.lateness or name in one.penalties:
                late.append(f"{who}  {short}  {words.number(one.raw(name))} earned: {' '.join(lateness(one, name))}")
            if said := _changes(one, name):
                changed.append(f"{who}  {short}  {' '.join(said)}")
        if one.drafts:
            drafts += one.drafts
    held = [words.short(column.milestone) for column in result.columns if column.milestone in drafts]
    released = [f"{', '.join(held)}: students see nothing of it before `marks release`."] if held else []
    zeros = {
        words.short(column.milestone): [
            one.student.name or one.student.id
            for one in result.standings
            if column.milestone in one.zeros and not one.score(column.milestone)  # else a person has given a mark
        ]
        for column in result.columns
    }
    nothing = [f"{short}: {listed(who, 6)}" for short, who in zeros.items() if who]
    return {
        "No mark": without_mark(result),
        "0, since nothing was handed in when it was due": nothing,
        "Late": late,
        "Decided by hand": changed,
        "Drafts": released,
    }


def _changes(one: Standing, name: str) -> list[str]:
    found = changed(one, name)
    if name in one.excused:
        found.append(f"Excused. {one.excused[name]}".strip())
    return found


def _who(one: Standing) -> str:
    name, student = one.student.name, one.student.id
    return f"{name} ({student})" if name and name != student else student
