"""Gradescope's `submission_metadata.yml`, read as events: who handed in which folder, and when.

The file is a platform's, or was made by somebody to look like one. It is never built as a whole: results and output,
which are most of it, are passed over, tags are not obeyed, and what is built is flat. A submission has a list of
people, a person three texts. So an alias can only stand for what is built already, and nothing multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

METADATA = "submission_metadata.yml"
METADATA_LIMIT = 256 * 1024 * 1024  # bytes: it holds all results and what every student's run printed
DEPTH = 64  # collections in collections
EVENTS = 20_000_000
RECORDS = 20_000  # submissions
PEOPLE = 200  # who hand in one submission together
ANCHORS = 100_000
TEXT = 1_000  # characters of a name, an address, an id or a time
_PERSON = (":name", ":sid", ":email")
_TIME = ":created_at"
_UTC = "utc"  # in what Ruby writes for a time with its zone


class MetadataError(ValueError):
    """The file is not as Gradescope writes it; the text is the second half of a sentence."""


@dataclass
class Record:
    """What is said of one submission."""

    people: list[dict[str, str]] = field(default_factory=list)  # ":name", ":sid" and ":email", where they are given
    created_at: str = ""
    problem: str = ""  # why it is not clear, as the second half of a sentence


class _Wrong(Exception):
    """One submission's record is wrong; the text is the second half of a sentence."""


def records(data: bytes) -> dict[str, Record]:
    """Return what the metadata says of each submission, by its folder's name.

    A record that is wrong has a problem; the others are as they are. Raises MetadataError when all of it is in doubt.
    """
    events = _Events(data)
    found: dict[str, Record] = {}
    try:
        for event in events:
            if isinstance(event, yaml.MappingStartEvent):
                break
            if isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.AliasEvent):
                raise MetadataError("it is not as Gradescope writes it")
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent) or len(event.value) > TEXT:
                raise MetadataError("it is not as Gradescope writes it")
            if len(found) >= RECORDS:
                raise MetadataError(f"it names more than {RECORDS:,} submissions")
            if event.value in found:
                raise MetadataError("it names a submission twice")
            found[event.value] = _record(events)
    except (yaml.YAMLError, ValueError, RecursionError, StopIteration) as error:
        if isinstance(error, MetadataError):
            raise
        raise MetadataError("it is not as Gradescope writes it") from error
    return found


class _Events:
    """The events of a file, counted, and never deeper than allowed."""

    def __init__(self, data: bytes) -> None:
        # libyaml's parser where there is one: it hands out events as it goes, so that stopping here stops it.
        self._events = yaml.parse(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._left = EVENTS
        self.depth = 0
        self.anchors: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        event = next(self._events)
        self._left -= 1
        if isinstance(event, yaml.CollectionStartEvent):
            self.depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            self.depth -= 1
        if self.depth > DEPTH:
            raise MetadataError(f"it is nested more than {DEPTH} deep")
        if self._left < 0:
            raise MetadataError("it holds more than any class's results")
        return event

    def leave(self, depth: int) -> None:
        """Pass over everything until no more than `depth` collections are open."""
        while self.depth > depth:
            next(self)

    def keep(self, event: Any, value: Any) -> Any:
        """Return a value, remembered by its anchor where it has one."""
        if event.anchor:
            if len(self.anchors) >= ANCHORS:
                raise MetadataError(f"it has more than {ANCHORS:,} anchors")
            self.anchors[event.anchor] = value
        return value


def _record(events: _Events) -> Record:
    """Read one submission's record; whatever is wrong in it, the events go on behind it."""
    outside = events.depth
    record = Record()
    try:
        start = next(events)
        if not isinstance(start, yaml.MappingStartEvent):
            raise _Wrong("its record is no mapping")
        seen = set()
        while not isinstance(key := next(events), yaml.MappingEndEvent):
            name = _text(key, events) if isinstance(key, yaml.ScalarEvent) else _passed(key, events)
            if name in (":submitters", _TIME):
                if name in seen:
                    raise _Wrong(f"its record has {name} twice")
                seen.add(name)
            if name == ":submitters":
                record.people = _people(events)
            elif name == _TIME:
                record.created_at = _time(events)
            else:
                _passed(next(events), events)
    except _Wrong as wrong:
        events.leave(outside)
        return Record(problem=str(wrong))
    return record


def _people(events: _Events) -> list[dict[str, str]]:
    start = next(events)
    if isinstance(start, yaml.AliasEvent):
        value = events.anchors.get(start.anchor)
        if isinstance(value, list):
            return value
    if isinstance(start, yaml.ScalarEvent) and not start.value:
        return []
    if not isinstance(start, yaml.SequenceStartEvent):
        raise _Wrong(":submitters is no list")
    people: list[dict[str, str]] = []
    while not isinstance(event := next(events), yaml.SequenceEndEvent):
        if len(people) >= PEOPLE:
            raise _Wrong(f"more than {PEOPLE} people handed it in")
        people.append(_person(event, events))
    return list(events.keep(start, people))


def _person(start: Any, events: _Events) -> dict[str, str]:
    if isinstance(start, yaml.AliasEvent):
        value = events.anchors.get(start.anchor)
        if isinstance(value, dict):
            return value
    if not isinstance(start, yaml.MappingStartEvent):
        raise _Wrong("a submitter is no mapping")
    person: dict[str, str] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        name = _text(key, events) if isinstance(key, yaml.ScalarEvent) else _passed(key, events)
        if name not in _PERSON:
            _passed(next(events), events)
            continue
        if name in person:
            raise _Wrong(f"a submitter has {name} twice")
        person[name] = _text(next(events), events, name).strip()
    return dict(events.keep(start, person))


def _time(events: _Events) -> str:
    """Return a time as it is written; of a mapping, as Ruby writes a time with its zone, the one in UTC."""
    start = next(events)
    if not isinstance(start, yaml.MappingStartEvent):
        return _text(start, events, _TIME)
    written = ""
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        name = _text(key, events) if isinstance(key, yaml.ScalarEvent) else _passed(key, events)
        if name == _UTC:
            written = _text(next(events), events, _TIME)
        else:
            _passed(next(events), events)
    return str(events.keep(start, written))


def _text(event: Any, events: _Events, of: str = "a key") -> str:
    """Return a scalar's text, or that of one which an alias names."""
    if isinstance(event, yaml.AliasEvent):
        value = events.anchors.get(event.anchor)
        if not isinstance(value, str):
            raise _Wrong(f"{of} is an alias of what is no text here")
        return value
    if not isinstance(event, yaml.ScalarEvent):
        raise _Wrong(f"{of} is no text")
    if len(event.value) > TEXT:
        raise _Wrong(f"{of} is longer than {TEXT} characters")
    return str(events.keep(event, event.value))


def _passed(event: Any, events: _Events) -> str:
    """Pass over whatever begins with an event."""
    if isinstance(event, yaml.CollectionStartEvent):
        events.leave(events.depth - 1)
    return ""
