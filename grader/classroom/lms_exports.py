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
from typing import Any

import yaml

from .layout import Part
from .roster import Claim, folded
from .standing import Student
from .trees import Entry, Tree, TreeError, beneath

METADATA = "submission_metadata.yml"
METADATA_LIMIT = 256 * 1024 * 1024  # bytes: it holds all results and what every student's run printed
_MOODLE = re.compile(r"([^_]+)_(\d+)_assignsubmission_file(?:_(.*))?", re.DOTALL)
_MOODLE_TEXT = re.compile(r"[^_]+_\d+_assignsubmission_onlinetext(?:_.*)?", re.DOTALL)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?\s*(Z|[+-]\d\d:?\d\d)")


@dataclass
class Exported:
    """One student's part of an export."""

    claim: Claim
    student: Student  # who it is where there is no roster, or nobody on it
    part: Part
    handed_in: str = ""
    problem: str = ""
    notes: list[str] = field(default_factory=list)


def gradescope(tree: Tree) -> list[Exported] | None:
    """Return the submissions of a Gradescope export, or None when the tree is none.

    Raises TreeError when its metadata cannot be read.
    """
    root = tree
    if not any(entry.name == METADATA for entry in tree.files):
        folders = tree.folders()
        if len(folders) != 1 or not any(entry.name == METADATA for entry in next(iter(folders.values())).files):
            return None
        root = next(iter(folders.values()))
    metadata = next(entry for entry in root.files if entry.name == METADATA)
    shown = beneath(root.shown, METADATA)
    try:
        listed = dict(_records(metadata.content(METADATA_LIMIT)))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise TreeError(f"{shown} cannot be read: it is not as Gradescope writes it.") from error
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


def _submitters(name: str, record: dict[str, Any], tree: Tree | None, shown: str) -> Iterator[Exported]:
    submitters = record.get(":submitters")
    people = [person for person in submitters if isinstance(person, dict)] if isinstance(submitters, list) else []
    handed_in = gradescope_time(record.get(":created_at", ""))
    part = Part(name, shown, tree or Tree(shown))
    problem = "" if tree else f"The export has no folder {name}, so that nothing of it can be graded."
    for person in people or [{}]:
        sid, email, full = (str(person.get(key) or "").strip() for key in (":sid", ":email", ":name"))
        student = Student(sid or email or full or name, full, email)
        notes = [] if handed_in else [f"{shown} does not say when it was handed in."]
        if len(people) > 1:
            others = [str(other.get(":name") or other.get(":email")) for other in people if other is not person]
            notes.append(f"Handed in together with {', '.join(others)}.")
        yield Exported(Claim("", sid, email, full or student.id), student, part, handed_in, problem, notes)


def gradescope_time(written: Any) -> str:
    """Return a time as Gradescope writes it in ISO 8601, or an empty string: "2026-03-01 09:30:00.5 Z"."""
    if isinstance(written, dict):  # how Ruby writes a time with its zone
        written = written.get("utc", "")
    found = _TIME.search(str(written))
    if not found:
        return ""
    day, clock, fraction, zone = found.groups()
    offset = UTC if zone == "Z" else _offset(zone)
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}").replace(microsecond=int((fraction or "0").ljust(6, "0")))
    except ValueError:
        return ""
    return moment.replace(tzinfo=offset).isoformat()


def _offset(zone: str) -> timezone:
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return timezone(timedelta(minutes=-minutes if zone[0] == "-" else minutes))


def _records(data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what each submission's record says of its submitters and its time.

    Events are read, not values: results and output, which are most of the file, are never built, tags never obeyed.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events = iter(yaml.parse(data, Loader=loader))
    anchors: dict[str, Any] = {}
    for event in events:
        if isinstance(event, yaml.MappingStartEvent):
            break
        if isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
            raise ValueError("no mapping")
    for event in events:
        if not isinstance(event, yaml.ScalarEvent):
            return  # the end of the mapping
        record = _value(next(events), events, anchors, wanted=(":submitters", ":created_at"))
        if not isinstance(record, dict):
            raise ValueError("no record")
        yield event.value, record


def _value(event: Any, events: Iterator[Any], anchors: dict[str, Any], wanted: tuple[str, ...] = ()) -> Any:
    """Build the value that begins with an event; of a mapping only the keys `wanted`, if there are any."""
    value: Any = ""
    if isinstance(event, yaml.AliasEvent):
        return anchors.get(event.anchor, "")
    if isinstance(event, yaml.ScalarEvent):
        value = event.value
    elif isinstance(event, yaml.SequenceStartEvent):
        value = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            value.append(_value(inner, events, anchors))
    elif isinstance(event, yaml.MappingStartEvent):
        value = {}
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            name = _value(key, events, anchors)
            name = name if isinstance(name, str) else ""
            if wanted and name not in wanted:
                _skip(next(events), events)
            else:
                value[name] = _value(next(events), events, anchors)
    if getattr(event, "anchor", None):
        anchors[event.anchor] = value
    return value


def _skip(event: Any, events: Iterator[Any]) -> None:
    depth = int(isinstance(event, yaml.CollectionStartEvent))
    while depth:
        inner = next(events)
        depth += isinstance(inner, yaml.CollectionStartEvent) - isinstance(inner, yaml.CollectionEndEvent)


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
