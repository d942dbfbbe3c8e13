"""Files that the grader reads: records, progress files, gradebooks, courses, classes and rosters that somebody crafted.

Each function fills an empty folder, and yields the kind and the path of each file. `honest` says where an honest one
of each kind lies, which it starts from.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Honest = dict[str, Path]
Crafted = Iterator[tuple[str, Path]]
NUMBER = 10**400  # which Python cannot make a float of


class Digits(int):
    """A number of so many nines, more than Python itself would write or read."""


def b89_pipes_devices_and_folders(folder: Path, honest: Honest) -> Crafted:
    """Are a pipe that nobody writes to, a device without an end, a socket or a folder in the place of each file."""
    for kind, path in honest.items():
        for make in (os.mkfifo, Path.mkdir, _device, _socket):
            yield kind, _made(folder, path, make)
    for ending in ("-journal", "-wal"):
        book = _copied(folder, honest["gradebook"])
        os.mkfifo(f"{book}{ending}")
        yield "gradebook", book


def b89_reports_that_go_nowhere(folder: Path, honest: Honest) -> Crafted:
    """Are named to write a report to: a pipe that nobody reads from, a full device, a socket, a folder."""
    for make in (os.mkfifo, Path.mkdir, _socket):
        yield "report", _made(folder, Path("report.xml"), make)
    yield "report", Path("/dev/full")


def b90_numbers_out_of_range(folder: Path, honest: Honest) -> Crafted:
    """Hold numbers of 400 digits, below zero, without end or none at all, where points, seconds and lines stand."""
    numbers: list[Any] = [NUMBER, -1, float("nan"), float("inf"), True, 10**18, Digits(5000)]
    for number in numbers:
        for place in RECORD_NUMBERS:
            yield "record", _changed(folder, honest["record"], place, number)
        for place in CLASS_NUMBERS:
            yield "class", _changed(folder, honest["class"], place, number)
        if type(number) is not bool:
            yield "progress", _changed(folder, honest["progress"], ("hints", "m04.1"), number)
    for value in ("1" * 400, "0x" + "f" * 5000, "nan", "inf", "-5", "true"):
        yield "course", _written(folder, honest["course"], COURSE + f"points = {value}\n")
    for date in ("0001-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"):
        yield "course", _written(folder, honest["course"], COURSE + f"due = {date}\n")


def b90_nested_without_end(folder: Path, honest: Honest) -> Crafted:
    """Are nested a hundred thousand lists deep, as a whole or where text belongs."""
    for kind in ("record", "class", "progress"):
        yield kind, _written(folder, honest[kind], "[" * 100_000)
        yield kind, _written(folder, honest[kind], '{"schema":' * 100_000)
        deep = json.dumps(_read(honest[kind]) | {"notes": ["DEEP"]}).replace('"DEEP"', "[" * 900 + "]" * 900)
        if kind != "progress":
            yield kind, _written(folder, honest[kind], deep)
    yield "course", _written(folder, honest["course"], f"x = {'[' * 100_000}")


def b90_more_than_anybody_has(folder: Path, honest: Honest) -> Crafted:
    """Are gigabytes long, most of it a hole, or hold millions of values in a few megabytes."""
    for kind in ("record", "class", "progress", "course", "roster"):
        path = _copied(folder, honest[kind])
        os.truncate(path, 5 * 2**30)
        yield kind, path
    for kind in ("record", "class", "progress"):
        yield kind, _written(folder, honest[kind], '{"schema": [' + "[]," * 5_100_000 + "0]}")


def b91_one_name_twice(folder: Path, honest: Honest) -> Crafted:
    """Hold a milestone, a task or a check twice, so that one reader takes the first and another the last."""
    for place in (("milestones",), ("milestones", 0, "tasks"), ("milestones", 0, "tasks", 0, "checks")):
        plain = _read(honest["record"])
        owner = plain
        for key in place:
            owner = owner[key]
        owner.append(copy.deepcopy(owner[0]))
        yield "record", _written(folder, honest["record"], json.dumps(_summed(plain)))


def b91_words_that_a_screen_obeys(folder: Path, honest: Honest) -> Crafted:
    """Name the grader, the level and the folder in escape sequences and commands to a CI log, for `replay` to print."""
    for name in ("grader", "environment", "submission", "weights"):
        yield "record", _changed(folder, honest["record"], (name,), "\x1b[2J\x1b]0;x\x07\u202e\n::error::x")


def b92_no_sandbox_for_a_record(folder: Path, honest: Honest) -> Crafted:
    """Say that they were made without a sandbox, so that whoever replays them runs the code as himself."""
    for level in ("process", "inline"):
        yield "record", _changed(folder, honest["record"], ("isolation",), level)


def b92_records_that_choose(folder: Path, honest: Honest) -> Crafted:
    """Choose a folder to read, a checkpoint to fetch, a device of other walls or the solutions beside the code."""
    choices = {"submission": "/etc", "weights": "gpt2", "device": "cuda", "prerequisites": "solutions"}
    choices |= {"weights_llama": "/etc"}
    for name, value in choices.items():
        yield "record", _changed(folder, honest["record"], (name,), value)


def b93_one_broken_entry(folder: Path, honest: Honest) -> Crafted:
    """Break one milestone or one hint in a progress file, for all others to be forgotten with it."""
    state = _read(honest["progress"])
    home, kept = next(iter(state["submissions"].items()))
    name = next(iter(kept))
    record = ("submissions", home, name, "record")
    for place, value in (
        (record, None), ((*record, "id"), "m00_other"), ((*record, "earned"), NUMBER), ((*record, "tasks"), 5),
        ((*record, "tasks", 0, "checks", 0, "traceback"), [{"file": "a", "line": -5, "function": "f", "source": ""}]),
        (("submissions", home, name), []), (("submissions", home, name, "key"), 3), (("submissions", "elsewhere"), 1),
        (("hints", "m04.1"), -5), (("hints", "m04.1"), "two"),
    ):  # fmt: skip
        yield "progress", _changed(folder, honest["progress"], place, value)


def b93_gradebooks_with_a_will(folder: Path, honest: Honest) -> Crafted:
    """Have triggers and views that change marks, columns of other kinds, and results, times and notes that are none."""
    for statement in (
        "CREATE TRIGGER more AFTER INSERT ON result BEGIN UPDATE result SET earned = 99; END",
        "CREATE VIEW marks AS SELECT * FROM result",
        "DROP INDEX standing_of_student; ALTER TABLE standing RENAME TO old; CREATE TABLE standing AS SELECT * FROM old",
        "ALTER TABLE handin ADD COLUMN extra BLOB",
        *(f"UPDATE result SET record = '{text}'" for text in ("[" * 100_000, "{}", '{"id": NaN}')),
        "UPDATE result SET record = replace(record, '\"withheld\":', '\"withheld\":-5,\"x\":')",
        f"UPDATE result SET record = replace(record, '\"seconds\":', '\"seconds\":{NUMBER},\"x\":')",
        "UPDATE standing SET handed_in = 'never'",
        "UPDATE standing SET handed_in = '0001-01-01T00:00:00+14:00'",
        *(f"UPDATE handin SET notes = '{text}'" for text in ("[" * 100_000, "5", "[5]", "{")),
    ):
        book = _copied(folder, honest["gradebook"])
        with contextlib.closing(sqlite3.connect(book)) as connection:
            connection.executescript(statement)
        yield "gradebook", book


COURSE = '[course]\nname = "C"\nmilestones = ["m00"]\ntime_zone = "Europe/Berlin"\n[[milestone]]\nid = "m00"\n'
_CHECK = ("milestones", 0, "tasks", 0, "checks", 0)
RECORD_NUMBERS: list[tuple[str | int, ...]] = [
    ("seconds",), ("earned",), ("possible",), ("milestones", 0, "earned"), ("milestones", 0, "tasks", 0, "points"),
    ("milestones", 0, "tasks", 0, "withheld"), (*_CHECK, "seconds"), (*_CHECK, "traceback", 0, "line"),
]  # fmt: skip
CLASS_NUMBERS: list[tuple[str | int, ...]] = [
    ("possible",), ("columns", 0, "possible"), ("standings", 0, "total"), ("standings", 0, "penalties", "m00_warmup"),
]  # fmt: skip


def _made(folder: Path, like: Path, make: Callable[[Path], Any]) -> Path:
    path = _room(folder) / like.name
    make(path)
    return path


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may be 107 bytes long, and pytest's folders are deep
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(here)


def _room(folder: Path) -> Path:
    room = folder / str(len(os.listdir(folder)))
    room.mkdir()
    return room


def _written(folder: Path, like: Path, text: str) -> Path:
    path = _room(folder) / like.name
    path.write_text(text, encoding="utf-8")
    return path


def _copied(folder: Path, honest: Path) -> Path:
    return Path(shutil.copy(honest, _room(folder)))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _changed(folder: Path, honest: Path, place: tuple[str | int, ...], value: Any) -> Path:
    plain = _read(honest)
    owner = plain
    for key in place[:-1]:
        owner = owner[key]
    owner[place[-1]] = "VALUE" if isinstance(value, Digits) else value
    digits = "9" * value if isinstance(value, Digits) else ""
    return _written(folder, honest, json.dumps(plain).replace('"VALUE"', digits))


def _summed(plain: dict[str, Any]) -> dict[str, Any]:
    """Return a record whose sums follow from its tasks again."""
    for milestone in plain["milestones"]:
        milestone["earned"] = sum(task["earned"] for task in milestone["tasks"])
        milestone["possible"] = sum(task["points"] for task in milestone["tasks"])
    for name in ("earned", "possible"):
        plain[name] = sum(milestone[name] for milestone in plain["milestones"])
    return plain


ALL = [thing for name, thing in sorted(globals().items()) if name[:1] == "b" and name[1:3].isdigit()]
