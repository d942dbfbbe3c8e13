"""What learning platforms export: who handed in which folder, from Gradescope's metadata and from Moodle's names.

Gradescope: a folder `assignment_NNN_export` with one folder for each submission and `submission_metadata.yml`, in which
each folder's name leads to `:submitters:` (`:name:`, `:sid:`, `:email:`) and `:created_at:`.
Moodle: `NAME_NUMBER_assignsubmission_file_` as a folder, or in front of each file's own name; mod/assign/locallib.php
writes underscores in names as spaces and may put the name of a group and a hyphen first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

from grader.classroom.book.standing import Student
from grader.submission import reason

from .layout import Part
from .metadata import METADATA, METADATA_LIMIT, Record, records
from .roster import Claim, folded
from .trees import Entry, Tree, TreeError, beneath

YEARS = range(1990, 2200)  # in which anybody hands in; times at the ends of the calendar cannot be compared
_EXPORT_NAME = re.compile(r"assignment_\d+_export(?: ?\(\d+\))?", re.ASCII)
_MOODLE = re.compile(r"([^_]+)_(\d+)_assignsubmission_file(?:_(.*))?", re.DOTALL)
_MOODLE_TEXT = re.compile(r"[^_]+_\d+_assignsubmission_onlinetext(?:_.*)?", re.DOTALL)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?\s*(Z|[+-]\d\d:?\d\d)", re.ASCII)


@dataclass
class Exported:
    """One student's part of an export."""

    claim: Claim
    student: Student  # who it is where there is no roster, or nobody on it
    part: Part
    handed_in: str = ""
    problem: str = ""
    unclear: str = ""  # why whose it is cannot be told, in a sentence
    notes: list[str] = field(default_factory=list)


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
        yield Exported(Claim("", sid, email, full or student.id), student, part, handed_in, problem, unclear, notes)


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


def moodle(tree: Tree) -> list[Exported] | None:
    """Return the submissions of a Moodle export, or None when the tree is none."""
    grouped: dict[tuple[str, str], list[Entry]] = {}
    texts = 0
    for entry in tree.entries:
        found = _MOODLE.fullmatch(entry.path[0])
        texts += bool(_MOODLE_TEXT.fullmatch(entry.path[0])) and (len(entry.path) > 1 or not entry.folder)
        if not found:
            continue
        name, number, file = found.groups()
        path = ((file,) if file else ()) + entry.path[1:]
        entries = grouped.setdefault((name.strip(), number), [])
        if path:
            entries.append(Entry(path, entry.read, entry.refused, entry.folder))
    if not grouped:
        return None
    if texts:
        tree.notes.append(f"{tree.shown} has {texts} texts typed into Moodle; only files are taken.")
    alike = Counter(folded(name) for name, _ in grouped)
    exported = []
    for (name, number), entries in grouped.items():
        shown = beneath(tree.shown, f"{name}_{number}_assignsubmission_file_")
        incomplete = [text for top, text in tree.trouble.items() if top.startswith(f"{name}_{number}_")]
        trouble = {"": incomplete[0]} if incomplete else {}
        part = Part(name, shown, Tree(shown, entries, trouble=trouble))
        # Two people of one name have two numbers, which change from one assignment to the next.
        stranger = Student(f"{name} ({number})" if alike[folded(name)] > 1 else name, name)
        exported.append(Exported(Claim(name=name), stranger, part))
    return exported


def without_group(name: str) -> list[str]:
    """Return what a Moodle name may be without the group in front of it: "Group 1-Anna-Lena Lee" -> two names."""
    pieces = name.split("-")
    return ["-".join(pieces[start:]).strip() for start in range(1, len(pieces))]
