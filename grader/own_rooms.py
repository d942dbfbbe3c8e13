"""The rooms that a course brings: read with a sentence for whatever is wrong, and packed for judges elsewhere.

What students get (stub and guide) and the solution are not packed: they decide no outcome, and a judge has no use for
them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from grader.sandbox.limits import Limits

from . import files
from .schema import shown
from .syllabus import GUIDE, LOOPBACK, OWN_ID, ROOM_FILE, SOLUTION, STRETCH, STUB, Milestone, Syllabus, read_room

LARGEST = 16 * 2**20  # bytes of one file
SUITE = ("__init__.py", ROOM_FILE)  # without which nothing can be graded
TEXTS = (STUB, GUIDE, SOLUTION)
ENTRY = {
    "title": str, "summary": str, "task": list, "needs": list, "uses": list, "shortcuts": list, "imports": list,
    "limits": dict, "watched": list, "explains": list, "stretch": dict, LOOPBACK: bool,
}  # fmt: skip
GOAL = {"title": str, "figure": str, "unit": str, "better": str, "rounds": str}
CHOICES = {"better": ("more", "less"), "rounds": ("repeats", "seeds")}  # of a goal; the first where it says nothing
TASK = {
    "id": str, "title": str, "points": (int, float), "implements": list, "hints": list, "rests_on": list,
}  # fmt: skip
NEEDED = {"title", "summary", "task", "id", "points", "implements", "hints"}

Rooms = tuple[tuple[str, tuple[tuple[str, bytes], ...]], ...]  # of each its id, and its files by their names


def read(room: Path, limits: Limits, texts: bool = True) -> Milestone:
    """Read a room that a course names. Without `texts` it was packed, and has none.

    Raises ValueError with the half of a sentence, and OSError, where it is none.
    """
    if not OWN_ID.fullmatch(room.name):
        raise ValueError("a milestone that a course brings is called like x01_name, and its folder as well")
    if not room.is_dir():
        raise ValueError("there is no such folder")
    there = sorted(path.name for path in room.iterdir())
    if lacking := [name for name in SUITE + TEXTS * texts if name not in there]:
        raise ValueError(f"its folder has no {lacking[0]}")
    if not any(name.startswith("test_") and name.endswith(".py") for name in there):
        raise ValueError("its folder has no suite, whose files are called test_*.py")
    for name in SUITE + TEXTS * texts:
        files.read(room / name, LARGEST)
    try:
        plain = tomllib.loads(files.read_text(room / ROOM_FILE, LARGEST))
        _check(plain, ENTRY, "")
        for task in plain["task"]:
            _check(task, TASK, "task.")
        numbers = [name for name in vars(limits) if name != LOOPBACK]
        _check(plain.get("limits", {}), dict.fromkeys(numbers, (int, float)), "limits.")
        if "stretch" in plain:
            _check_goal(plain["stretch"], STRETCH in there)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its {ROOM_FILE} cannot be used ({str(error).rstrip('.')})") from None
    return read_room(room, limits, own=True)


def _check(table: Any, known: dict[str, Any], where: str) -> None:
    if not isinstance(table, dict):
        raise ValueError(f"{where.rstrip('.')} is no table")
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"there is no key {where}{name}; there are {', '.join(known)}")
        number = known[name] == (int, float)
        if not isinstance(value, known[name]) or (number and (isinstance(value, bool) or not 0 < value < 2**31)):
            raise ValueError(f"{where}{name} cannot be {shown(value)}")
        if isinstance(value, list) and name != "task" and not all(isinstance(word, str) for word in value):
            raise ValueError(f"{where}{name} is a list of texts")
        if isinstance(value, str) and not (value.strip() and value.isprintable()):
            raise ValueError(f"{where}{name} is no text of one line")
    if lacking := [name for name in known if name in NEEDED and not table.get(name)]:
        raise ValueError(f"{where}{lacking[0]} is missing")


def _check_goal(goal: Any, measured: bool) -> None:
    _check(goal, GOAL, "stretch.")
    if lacking := [name for name in GOAL if name not in CHOICES and name not in goal]:
        raise ValueError(f"stretch.{lacking[0]} is missing")
    for name, (first, second) in CHOICES.items():
        if goal.get(name, first) not in (first, second):
            raise ValueError(f"stretch.{name} is {shown(goal[name])}, and neither {first!r} nor {second!r}")
    if not measured:
        raise ValueError(f"it states a stretch goal, and its folder has no {STRETCH}")


def contents(milestone: Milestone) -> dict[str, bytes]:
    """Return the files of a room that decide outcomes, by their paths in it. Raises OSError and ValueError."""
    found = {}
    for path in sorted(milestone.room.rglob("*")):
        name = path.relative_to(milestone.room).as_posix()
        hidden = any(part.startswith(".") or part == "__pycache__" for part in Path(name).parts)
        if path.is_file() and not hidden and name not in TEXTS:
            found[name] = files.read(path, LARGEST)
    return found


def packed(course: Syllabus) -> Rooms:
    """Return the rooms that a course brings as plain data, which the grader's hash covers. Raises OSError, ValueError.

    Of a course that brings none: an empty tuple.
    """
    return tuple((milestone.id, tuple(contents(milestone).items())) for milestone in course.own)


def unpacked(rooms: Rooms, folder: Path, whole: Syllabus) -> Syllabus:
    """Write rooms into a folder that is this process's alone, and return the syllabus with them."""
    for name, parts in rooms:
        for path, data in parts:
            place = folder / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    return whole.bringing([read(folder / name, whole.limits, texts=False) for name, _ in rooms])
