"""Gradescope's export: who handed in which folder, and when, from its metadata.

A folder `assignment_NNN_export` with one folder for each submission and `submission_metadata.yml`, in which
each folder's name leads to `:submitters:` (`:name:`, `:sid:`, `:email:`) and `:created_at:`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from grader.classroom.book.standing import Student
from grader.submission import reason

from .layout import Part
from .metadata import METADATA, METADATA_LIMIT, Record, records
from .platforms.handed import Exported
from .roster import Claim
from .trees import Tree, TreeError, beneath

YEARS = range(1990, 2200)  # in which anybody hands in; times at the ends of the calendar cannot be compared
_EXPORT_NAME = re.compile(r"assignment_\d+_export(?: ?\(\d+\))?", re.ASCII)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?\s*(Z|[+-]\d\d:?\d\d)", re.ASCII)


def gradescope_root(tree: Tree) -> Tree | None:
    """Return the folder with Gradescope's metadata: the tree itself or the only folder in it; None in any other."""
    if any(entry.name == METADATA for entry in tree.files):
        return tree
    folders = list(tree.folders().values())
    if len(folders) == 1 and any(entry.name == METADATA for entry in folders[0].files):
        return folders[0]
    return None


def named_by_gradescope(name: str) -> bool:
    """Tell whether a file or folder is called as Gradescope names a download: "assignment_123_export (1)"."""
    return bool(_EXPORT_NAME.fullmatch(name))


def gradescope(root: Tree) -> list[Exported]:
    """Return the submissions of a Gradescope export, whose metadata lies in `root`.

    Raises TreeError when its metadata cannot be read.
    """
    metadata = [entry for entry in root.files if entry.name == METADATA]
    shown = beneath(root.shown, METADATA)
    try:
        if len(metadata) != 1:
            raise ValueError(f"it is there {len(metadata)} times")
        listed = records(metadata[0].content(METADATA_LIMIT))
    except (OSError, ValueError) as error:
        raise TreeError(f"{shown} cannot be read: {reason(error)}.") from error
    if not listed:
        raise TreeError(f"{shown} names no submissions.")
    folders = root.folders()
    found: list[Exported] = []
    for name, record in listed.items():
        found += _submitters(name, record, folders.get(name), beneath(root.shown, name))
    for name in sorted(set(folders) - set(listed)):
        part = Part(name, folders[name].shown, folders[name])
        found.append(Exported(Claim(name), Student(name), part, notes=[f"{shown} does not say whose {name} is."]))
    return found


def _submitters(name: str, record: Record, tree: Tree | None, shown: str) -> Iterator[Exported]:
    handed_in = gradescope_time(record.created_at)
    part = Part(name, shown, tree or Tree(shown))
    problem = "" if tree else f"The export has no folder {name}, so that nothing of it can be graded."
    unclear = f"Whose {shown} is cannot be told: {record.problem}." if record.problem else ""
    for person in record.people or [{}]:
        sid, email, full = (person.get(key, "") for key in (":sid", ":email", ":name"))
        student = Student(sid or email or full or name, full, email)
        notes = [] if handed_in else [f"{shown} does not say when it was handed in."]
        if len(record.people) > 1:
            others = [other.get(":name") or other.get(":email", "") for other in record.people if other is not person]
            notes.append(f"Handed in together with {', '.join(others)}.")
        yield Exported(
            Claim("", sid, email, full or student.id), student, part, handed_in, problem, unclear, notes=notes
        )


def gradescope_time(written: str) -> str:
    """Return a time as Gradescope writes it in ISO 8601, or an empty string: "2026-03-01 09:30:00.5 Z"."""
    found = _TIME.fullmatch(written.strip())
    if not found:
        return ""
    day, clock, fraction, zone = found.groups()
    try:
        offset = UTC if zone == "Z" else _offset(zone)
        moment = datetime.fromisoformat(f"{day}T{clock}").replace(microsecond=int((fraction or "0").ljust(6, "0")))
    except ValueError:
        return ""
    return moment.replace(tzinfo=offset).isoformat() if moment.year in YEARS else ""


def _offset(zone: str) -> timezone:
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))
