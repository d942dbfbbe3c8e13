"""A course: one TOML file with a name, the milestones chosen, their points, due dates and what lateness costs."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from . import files, own_rooms
from . import syllabus as syllabuses
from .lateness import Extension, Late, Lateness, charge, due_text, of_student
from .lateness import HandedIn as Counted
from .rounding import WAYS, Rounding
from .schema import shown
from .syllabus import Milestone, Syllabus, SyllabusError

KEYS = {
    "": ("course", "late", "milestone", "extension"),
    "course": ("name", "time_zone", "milestones", "missing", "drafts", "round_to", "rounding", "repository"),
    "late": ("per_day", "cap", "grace_minutes", "free_days"),
    "milestone": ("id", "points", "due", "tasks", "late", "weight", "exclude"),
    "extension": ("student", "milestone", "until", "days", "late_days", "reason"),
}
MISSING = ("none", "zero")
LARGEST = 2**20  # bytes of a file
REPOSITORY = re.compile(r"https://github\.com/[A-Za-z0-9-]+/[A-Za-z0-9._-]+")  # whom a notebook may be opened from
YEARS = range(1970, 9999)  # in which something can be due: a day before and after them has a date in every time zone


class CourseError(SyllabusError):
    """The course's file cannot be used; the text is one sentence that names the file and the key."""


@dataclass(frozen=True)
class Part:
    """A milestone as the course has it."""

    id: str  # "m04_attention"
    points: float | None = None  # None: as in the syllabus
    tasks: Mapping[str, float] = field(default_factory=dict)  # task id -> points, where they differ
    due: datetime | None = None  # with its time zone
    late: Late = field(default_factory=Late)
    weight: float | None = None  # what a full milestone adds to the total; None: its points
    exclude: frozenset[str] = frozenset()  # tasks that count for nobody


@dataclass(frozen=True)
class Course:
    """A course; `load` reads it."""

    name: str
    parts: tuple[Part, ...]  # in the order of the syllabus
    path: str = ""  # the file it was read from, for messages
    time_zone: tzinfo | None = None  # of dates without an offset, where the file says so
    own: tuple[Milestone, ...] = ()  # that it brings
    zero: bool = False  # what was not handed in when it was due is 0; else it has no mark
    drafts: bool = False  # marks are drafts until they are released
    rounding: Rounding = field(default_factory=Rounding)
    free_days: int = 0  # late days that everybody has
    late_days: Mapping[str, int] = field(default_factory=dict)  # student → late days, where they are others
    extensions: tuple[Extension, ...] = ()
    repository: str = ""  # where students get the course, on GitHub

    def whole(self, whole: Syllabus) -> Syllabus:
        """Return the syllabus with the milestones that this course brings, whatever it has chosen of ours."""
        return whole.bringing(self.own)

    def part(self, milestone: str) -> Part:
        """Return one milestone's part. Raises CourseError for a milestone that was not chosen."""
        for part in self.parts:
            if part.id == milestone:
                return part
        raise CourseError(f"{milestone} is not in the course {self.name}.")

    def due(self, milestone: str) -> datetime | None:
        """Return when a milestone is due, with its time zone, or None. Raises CourseError as `part` does."""
        return self.part(milestone).due

    def due_for(self, milestone: str, student: str) -> datetime | None:
        """Return when a milestone is due for one student. Raises CourseError as `part` does."""
        due = self.due(milestone)
        if due is None:
            return None
        return max((each.due(due) for each in self.extensions if each.applies(student, milestone)), default=due)

    def lateness(
        self, student: str, earned: Mapping[str, float], handed_in: Mapping[str, datetime]
    ) -> dict[str, Lateness]:
        """Return what one student loses for lateness, by milestone: points earned and times of handing in go in.

        Raises CourseError as `part` does.
        """
        counted = []
        for milestone, at in handed_in.items():
            if (due := self.due_for(milestone, student)) is not None:
                late = self.part(milestone).late
                counted.append(Counted(milestone, earned[milestone], at, due, late))
        return charge(counted, of_student(self.late_days, student, self.free_days))

    def penalty(self, milestone: str, earned: float, handed_in: datetime | None) -> float:
        """Return the points that lateness takes off what was earned; none where the time of handing in is not known.

        Raises CourseError for a time without a time zone, and as `part` does.
        """
        part = self.part(milestone)
        if handed_in is None or part.due is None:
            return 0.0
        if handed_in.utcoffset() is None:
            raise CourseError(
                f"Whether {milestone} came late cannot be said: the time {handed_in.isoformat()} has no time zone."
            )
        found = charge([Counted(milestone, earned, handed_in, part.due, part.late)], 0)
        return found[milestone].lost if found else 0.0

    def syllabus(self, whole: Syllabus) -> Syllabus:
        """Return the syllabus of this course: the milestones chosen, with its name and its points.

        Raises CourseError when it does not fit: a need that was not chosen, points of a task that does not exist.
        """
        chosen = {part.id for part in self.parts}
        whole, milestones = self.whole(whole), []
        for part in self.parts:
            milestone = whole.milestone(part.id)
            for need in whole.with_needs(milestone):
                if need not in chosen:
                    raise CourseError(
                        f"{self.path}: {milestone.id} is made of {need}, which the course leaves out; "
                        f"choose {need[:3]} as well."
                    )
            milestones.append(_with_points(milestone, part, self.path))
        return replace(whole, name=self.name, milestones=tuple(milestones), repository=self.repository)


def plain(whole: Syllabus) -> Course:
    """Return the course that is the whole syllabus, with its own points and no dates."""
    return Course(whole.name, tuple(Part(milestone.id) for milestone in whole.milestones), "the syllabus")


def load(path: Path, whole: Syllabus | None = None, rooms: Path | None = None) -> Course:
    """Read a course's file and check it against the syllabus. Raises CourseError.

    Of rooms that it brings, paths are relative to the file; where `rooms` is given, they were packed and lie there.
    """
    whole = whole or syllabuses.load()
    try:
        text = files.read_text(path, LARGEST)
    except (OSError, ValueError) as error:
        raise CourseError(f"The course {path} cannot be read ({files.reason(error)}).") from None
    return read(text, str(path), whole, rooms)


def read(text: str, path: str, whole: Syllabus, rooms: Path | None = None) -> Course:
    """Read a course out of its text; `path` is what messages call it. Raises CourseError as `load` does."""
    try:
        plain = tomllib.loads(text)
    except ValueError as error:
        raise CourseError(f"The course {path} is no TOML: {str(error).rstrip('.')}.") from None
    except RecursionError:
        raise CourseError(f"The course {path} is nested too deep.") from None
    course = _Reader(path, whole, rooms).course(plain)
    course.syllabus(whole)
    return course


def _with_points(milestone: Milestone, part: Part, path: str) -> Milestone:
    known = {task.id for task in milestone.tasks}
    for name in part.tasks:
        if name not in known:
            raise CourseError(
                f"{path}: there is no task {name!r} in {milestone.id}; it has {', '.join(sorted(known))}."
            )
    if unknown := sorted(part.exclude - known):
        raise CourseError(
            f"{path}: there is no task {unknown[0]!r} in {milestone.id}; it has {', '.join(sorted(known))}."
        )
    points = [0.0 if task.id in part.exclude else part.tasks.get(task.id, task.points) for task in milestone.tasks]
    if not any(points):
        raise CourseError(f"{path}: every task of {milestone.id} is excluded; leave out the milestone instead.")
    if part.points is not None:
        total = sum(points)
        points = [own * part.points / total for own in points]
    tasks = [replace(task, points=own) for task, own in zip(milestone.tasks, points, strict=True)]
    return replace(milestone, tasks=tuple(tasks), due=due_text(part.due) if part.due is not None else "")


class _Reader:
    """Reads one file, and says in one sentence which key of it is wrong."""

    def __init__(self, path: str, whole: Syllabus, rooms: Path | None) -> None:
        self._path, self._whole, self._rooms = path, whole, rooms
        self._zone: tzinfo | None = None

    def course(self, plain: dict[str, Any]) -> Course:
        """Return the course that a file's tables describe."""
        self._known("", plain)
        head = self._table(plain, "course")
        self._known("course", head)
        name = head.get("name")
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            self._wrong("course.name", "is missing, or is no text of one line")
        self._zone = self._time_zone(head.get("time_zone"))
        late = self._late("late", self._table(plain, "late"), Late())
        entries = plain.get("milestone", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._wrong("milestone", "is written as [[milestone]], once for each")
        listed = self._listed(head.get("milestones"))  # first: a [[milestone]] may name by its id what this brings
        parts: dict[str, Part] = {}
        for entry in entries:
            part = self._part(entry, late)
            if part.id in parts:
                self._wrong("milestone.id", f"names {part.id} twice")
            parts[part.id] = part
        for name_of_one in listed:
            parts.setdefault(name_of_one, Part(name_of_one, late=late))
        if listed and (extra := [name_of_one for name_of_one in parts if name_of_one not in listed]):
            self._wrong("course.milestones", f"leaves out {extra[0]}, which has a [[milestone]] of its own")
        if not parts:
            self._wrong("course.milestones", "is missing: name the milestones of the course")
        ordered = tuple(parts[m.id] for m in self._whole.milestones if m.id in parts)
        marks = self._marks(head) | self._more_time(plain)
        free = self._whole_number("late.free_days", self._table(plain, "late").get("free_days", 0))
        return Course(name.strip(), ordered, self._path, self._zone, self._whole.own, free_days=free, **marks)

    def _marks(self, head: dict[str, Any]) -> dict[str, Any]:
        """Return what becomes of marks, such as how they are rounded, and where students get the course."""
        missing, drafts = head.get("missing", MISSING[0]), head.get("drafts", False)
        step, way = head.get("round_to", Rounding.step), head.get("rounding", Rounding.way)
        if missing not in MISSING:
            self._wrong("course.missing", f'is "none" or "zero", and {shown(missing)} is neither')
        if not isinstance(drafts, bool):
            self._wrong("course.drafts", f"is true or false, and {shown(drafts)} is neither")
        if not _is_number(step) or not 0.01 <= step <= 1000:
            self._wrong("course.round_to", f"is a number of points from 0.01 to 1,000, and {shown(step)} is not")
        if way not in WAYS:
            self._wrong("course.rounding", f"is one of {', '.join(WAYS)}, and {shown(way)} is not")
        found = {"zero": missing == "zero", "drafts": drafts, "rounding": Rounding(float(step), way)}
        if "repository" in head:
            found["repository"] = address = head["repository"]
            if not isinstance(address, str) or not REPOSITORY.fullmatch(address):
                like = "https://github.com/owner/name"
                self._wrong("course.repository", f"is an address like {like}, and {shown(address)} is not")
        return found

    def _more_time(self, plain: dict[str, Any]) -> dict[str, Any]:
        """Return extensions and late days of single students."""
        entries = plain.get("extension", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._wrong("extension", "is written as [[extension]], once for each")
        extensions, late_days = [], {}
        for entry in entries:
            self._known("extension", entry)
            student, reason = entry.get("student", ""), entry.get("reason", "")
            if not all(isinstance(text, str) and text.isprintable() for text in (student, reason)):
                self._wrong("extension.student", "is a student's id, or absent for everybody")
            if len(given := [name for name in ("until", "days", "late_days") if name in entry]) != 1:
                self._wrong("extension", "says one of until, days and late_days")
            if given == ["late_days"]:
                if not student.strip() or "milestone" in entry:
                    self._wrong("extension.late_days", "belongs to one student, and to no milestone")
                late_days[student] = self._whole_number("extension.late_days", entry["late_days"])
                continue
            milestone = entry.get("milestone", "")
            milestone = self._milestone("extension.milestone", milestone).id if milestone else ""
            until = self._due("extension.until", entry["until"]) if "until" in entry else None
            days = self._whole_number("extension.days", entry.get("days", 0))
            extensions.append(Extension(student.strip(), milestone, until, days, reason))
        return {"extensions": tuple(extensions), "late_days": late_days}

    def _whole_number(self, key: str, value: Any) -> int:
        if type(value) is not int or not 0 <= value <= 1000:
            self._wrong(key, f"is a whole number of days up to 1,000, and {shown(value)} is not")
        return value

    def _part(self, plain: dict[str, Any], late: Late) -> Part:
        self._known("milestone", plain)
        name = plain.get("id")
        if not isinstance(name, str):
            self._wrong("milestone.id", "is missing: it says which milestone this is")
        milestone = self._milestone("milestone.id", name)
        number = milestone.number
        tasks = self._table(plain, "tasks", f"{number}: tasks")
        if "free_days" in self._table(plain, "late", f"{number}: late"):
            self._wrong(f"{number}: late.free_days", "belongs to the whole course: [late]")
        return Part(
            milestone.id,
            points=self._points(f"{number}: points", plain["points"]) if "points" in plain else None,
            tasks={task: self._points(f"{number}: tasks.{task}", value) for task, value in tasks.items()},
            due=self._due(f"{number}: due", plain["due"]) if "due" in plain else None,
            late=self._late(f"{number}: late", self._table(plain, "late", f"{number}: late"), late),
            weight=self._points(f"{number}: weight", plain["weight"]) if "weight" in plain else None,
            exclude=self._excluded(f"{number}: exclude", plain.get("exclude", [])),
        )

    def _excluded(self, key: str, names: Any) -> frozenset[str]:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._wrong(key, 'is a list of tasks, like ["m04.2"]')
        return frozenset(names)

    def _listed(self, names: Any) -> list[str]:
        if names is None:
            return []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._wrong("course.milestones", 'is a list of names, like ["m00", "m04"]')
        return [self._milestone("course.milestones", name).id for name in names]

    def _bring(self, key: str, name: str) -> str:
        """Take a room of the course's own into the syllabus, unless it is there, and return its id."""
        room = Path(os.path.abspath(Path(self._path).parent / name))
        if self._rooms is not None:
            room = self._rooms / room.name
        if any(other.room == room for other in self._whole.own):
            return room.name
        try:
            milestone = own_rooms.read(room, self._whole.limits, texts=self._rooms is None)
            own_rooms.contents(milestone)
            self._whole = self._whole.bringing([milestone])
            return milestone.id
        except (OSError, ValueError) as error:
            self._wrong(key, f"names {shown(name)}, which cannot be used: {files.reason(error)}")
        except SyllabusError as error:
            raise CourseError(f"{self._path}: {key}: {error}") from None

    def _milestone(self, key: str, name: str) -> Milestone:
        if "/" in name:
            name = self._bring(key, name)
        try:
            return self._whole.milestone(name)
        except SyllabusError as error:
            raise CourseError(f"{self._path}: {key}: {error}") from None

    def _late(self, key: str, plain: dict[str, Any], default: Late) -> Late:
        self._known("late", plain, key)
        per_day, cap = plain.get("per_day", default.per_day), plain.get("cap", default.cap)
        minutes = plain.get("grace_minutes", default.grace / timedelta(minutes=1))
        for name, share in (("per_day", per_day), ("cap", cap)):
            if not _is_number(share) or not 0 <= share <= 1:
                self._wrong(f"{key}.{name}", f"is a share from 0 to 1, and {shown(share)} is not")
        if not _is_number(minutes) or not 0 <= minutes <= 100_000:
            self._wrong(f"{key}.grace_minutes", f"is a number of minutes up to 100,000, and {shown(minutes)} is not")
        return Late(float(per_day), float(cap), timedelta(minutes=minutes))

    def _points(self, key: str, value: Any) -> float:
        if not _is_number(value) or not 0 < value <= 1_000_000:
            self._wrong(key, f"is a number of points above 0, and {shown(value)} is not")
        return float(value)

    def _due(self, key: str, value: Any) -> datetime:
        if not isinstance(value, datetime):
            self._wrong(key, f"is a date with a time, like 2026-10-12T23:59:00+02:00, and {_plain(value)} is not")
        if value.year not in YEARS:
            self._wrong(key, f"is in the year {value.year}, and no course is")
        if value.utcoffset() is not None:
            return value
        if self._zone is None:
            self._wrong(
                key, f"has no time zone: write {value.isoformat()}Z or an offset, or set course.time_zone for all dates"
            )
        due = value.replace(tzinfo=self._zone)
        if due.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != value:
            self._wrong(key, f"is a time that the clocks of {self._zone} skip: {value.isoformat()}")
        return due  # of a time that these clocks show twice, the earlier one

    def _time_zone(self, name: Any) -> tzinfo | None:
        if name is None:
            return None
        try:
            return ZoneInfo(name)
        except Exception:  # its own, OSError, ValueError and TypeError: whatever a wrong name leads to
            self._wrong("course.time_zone", f"is the name of a time zone, like Europe/Berlin, and {shown(name)} is not")

    def _table(self, plain: dict[str, Any], name: str, key: str = "") -> dict[str, Any]:
        found = plain.get(name, {})
        if not isinstance(found, dict):
            self._wrong(key or name, "is a table, not a single value")
        return found

    def _known(self, table: str, plain: dict[str, Any], shown: str | None = None) -> None:
        for name in plain:
            if name not in KEYS[table]:
                close = difflib.get_close_matches(name, KEYS[table], n=1)
                guess = f"did you mean {close[0]}?" if close else f"there are {', '.join(KEYS[table])}."
                where = shown or table
                raise CourseError(f"{self._path}: there is no key {f'{where}.{name}' if where else name}; {guess}")

    def _wrong(self, key: str, what: str) -> NoReturn:
        raise CourseError(f"{self._path}: {key} {what}.")


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _plain(value: Any) -> str:
    """Return a value as a sentence quotes it, a date as it was written."""
    return str(value) if isinstance(value, date | time) else shown(value)
