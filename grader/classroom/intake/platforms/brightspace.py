"""Brightspace's download: a folder `123456-789012 - Ada Lovelace - Mar 1, 2026 911 PM` for each submission.

The numbers are the user's and the submission's; an `OrgDefinedId` may stand before the name. Flat downloads have the
same before each file's name. The time has no offset, so that it only tells which submission is the last.

Source: Brightspace's source is closed. The scheme is as tools that sort such downloads read it, and as universities'
help pages show it.
"""

from __future__ import annotations

import re
from datetime import datetime

from grader.classroom.book.standing import Student

from ..layout import Part
from ..roster import Ambiguous, Claim
from ..trees import Entry, Tree, beneath
from .handed import Handed, matched
from .names import People

_MONTH = r"[^\W\d]{3,12}\.?"
_TIME = rf"(?P<time>(?:{_MONTH} \d{{1,2}},|\d{{1,2}} {_MONTH},?) \d{{4}} \d{{1,4}}(?: [AP]M)?)"
_WHO = r"(?P<user>\d+)-(?P<number>\d+) - (?:(?P<id>\S+) - )?(?P<name>.+?)"
_SUBMISSION = re.compile(rf"{_WHO} ?- {_TIME}(?: - (?P<file>.+))?", re.DOTALL)


def submissions(tree: Tree) -> tuple[list[Handed], list[str]] | None:
    """Return each student's last submission and what there is to say about it, or None when it is no such download."""
    found: dict[tuple[str, str], dict[tuple[str, str], list[Entry]]] = {}
    for entry in tree.entries:
        match = matched(_SUBMISSION, entry.path[0])
        if match is None or (not match["file"] and len(entry.path) == 1 and not entry.folder):
            continue
        who = (match["user"], _written(match["id"] or "", match["name"].strip()))
        path = ((match["file"],) if match["file"] else ()) + entry.path[1:]
        entries = found.setdefault(who, {}).setdefault((match["time"], match["number"]), [])
        if path:
            entries.append(Entry(path, entry.read, entry.refused, entry.folder))
    if not found:
        return None
    handed = []
    for (user, written), by_time in found.items():
        times = sorted(by_time, key=lambda each: (_moment(each[0]), int(each[1])))
        last = times[-1]
        shown = beneath(tree.shown, f"{user}-{last[1]} - {written} - {last[0]}")
        one = Handed(written, Part(written, shown, Tree(shown, by_time[last])), user)
        if len(times) > 1:
            others = ", ".join(time for time, _ in times[:-1][:3])
            one.notes.append(f"The last of {len(times)} submissions was taken, of {last[0]}, not those of {others}.")
        handed.append(one)
    return handed, []


def _written(key: str, name: str) -> str:
    """Return the OrgDefinedId before a name, which has a digit, or else the whole name."""
    if key and any(letter.isdigit() for letter in key):
        return key
    return f"{key} - {name}" if key else name


def named(name: str) -> bool:
    """Tell whether a name is one that Brightspace gives."""
    return bool(matched(_SUBMISSION, name))


def _moment(written: str) -> datetime:
    """Return a time as far as it can be read, the beginning of all times for a month in another language."""
    for form in ("%b %d, %Y", "%B %d, %Y", "%d %b, %Y", "%d %B, %Y", "%d %b %Y", "%d %B %Y"):
        day, _, clock = written.replace(" AM", "AM").replace(" PM", "PM").rpartition(" ")
        try:
            return datetime.strptime(f"{day} {_clock(clock)}", f"{form} %H%M")
        except ValueError:
            continue
    return datetime.min


def _clock(written: str) -> str:
    """Return "911PM" as 2111."""
    digits = written.removesuffix("AM").removesuffix("PM").zfill(4)
    hour = int(digits[:-2])
    if written.endswith("M"):
        hour = hour % 12 + 12 * written.endswith("PM")
    return f"{hour:02}{digits[-2:]}"


def owners(handed: Handed, people: People) -> list[Student]:
    """Return whose a submission is: by the OrgDefinedId where there is one, else by the whole name."""
    written = handed.written.removeprefix("#")
    try:
        student = people.roster.find(Claim(written))
    except Ambiguous:
        return people.named(written)
    return [student] if student is not None else people.named(written)
