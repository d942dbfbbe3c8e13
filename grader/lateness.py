"""What lateness costs: the price of a day, extensions, and late days that students may spend as they like."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY = timedelta(days=1)


def due_text(due: datetime) -> str:
    """Return a due date as a person reads it: "2026-10-12 23:59 UTC+02:00"."""
    minutes = int((due.utcoffset() or timedelta(0)).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"{due:%Y-%m-%d %H:%M} UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


@dataclass(frozen=True)
class Late:
    """What lateness costs, as shares of the points that were earned."""

    per_day: float = 0.0  # lost for each day that has begun since the due date; a day is 24 hours
    cap: float = 1.0  # lost at most
    grace: timedelta = timedelta(0)  # lateness that costs nothing; what comes later is counted from the due date

    def days(self, late_by: timedelta) -> int:
        """Return how many days late this is: each that has begun, and none within the grace."""
        return 0 if late_by <= max(self.grace, timedelta(0)) else math.ceil(late_by / DAY)

    def share(self, late_by: timedelta, free: int = 0) -> float:
        """Return the share of the points that is lost when so many days are free."""
        return min(self.cap, self.per_day * max(0, self.days(late_by) - free))


@dataclass(frozen=True)
class Extension:
    """More time for somebody: another due date, or some days after the one that everybody has."""

    student: str  # an id; empty: everybody
    milestone: str = ""  # empty: every milestone
    until: datetime | None = None  # with its time zone
    days: int = 0
    reason: str = ""

    def applies(self, student: str, milestone: str) -> bool:
        """Tell whether it is about a student's milestone."""
        return (not self.student or same(self.student, student)) and self.milestone in ("", milestone)

    def due(self, due: datetime) -> datetime:
        """Return when something is due that everybody else has to hand in at `due`."""
        # In UTC, since a day is 24 hours, also when the clocks change.
        try:
            later = due if not self.days else (due.astimezone(UTC) + self.days * DAY).astimezone(due.tzinfo)
        except OverflowError:  # at the end of the calendar there is no later
            later = due
        return later if self.until is None else max(later, self.until)


@dataclass(frozen=True)
class Lateness:
    """How late one student's milestone is."""

    days: int  # that have begun since it was due
    free: int  # of them, that late days pay for
    lost: float  # points


@dataclass(frozen=True)
class HandedIn:
    """One student's milestone, as far as its lateness goes."""

    milestone: str
    earned: float
    at: datetime  # with its time zone
    due: datetime  # for this student
    late: Late


def charge(handed_in: Iterable[HandedIn], late_days: int) -> dict[str, Lateness]:
    """Return what each milestone that is late loses, when late days are spent in the order of due dates.

    None is spent where it would save nothing: on what has earned nothing, or is far beyond the cap.
    """
    found = {}
    for one in sorted(handed_in, key=lambda each: (each.due, each.milestone)):
        # In UTC, since subtracting two times of one zone leaves out that its clocks may have been changed in between.
        late_by = one.at.astimezone(UTC) - one.due.astimezone(UTC)
        days = one.late.days(late_by)
        if not days:
            continue
        free = min(days, late_days)
        if one.earned <= 0 or one.late.share(late_by, free) >= one.late.share(late_by):
            free = 0
        late_days -= free
        found[one.milestone] = Lateness(days, free, round(one.earned * one.late.share(late_by, free), 6))
    return found


def same(one: str, other: str) -> bool:
    """Tell whether two ids are one person's, as they are compared everywhere: case and spaces do not count."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def of_student(values: Mapping[str, int], student: str, otherwise: int) -> int:
    """Return what a table by ids says of a student."""
    return next((value for name, value in values.items() if same(name, student)), otherwise)
