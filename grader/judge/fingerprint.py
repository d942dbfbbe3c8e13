"""What the grader is, as one hash: a result is worth keeping only as long as this stays the same."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib import metadata
from pathlib import Path

import fixtures
from grader.own_rooms import Rooms

GRADER = Path(__file__).resolve().parents[1]
VERSION = "0.1.0"
# What decides an outcome. The rest of the grader takes submissions in, hands jobs out, and shows results.
JUDGING = ("judge", "sandbox", "suites", "record.py", "submission.py", "syllabus.py", "syllabus.toml")


@functools.cache
def grader_hash() -> str:
    """Return the SHA-256 over the grader's own files and the fixtures' manifest."""
    return _hash(("",))


@functools.cache
def judging_hash() -> str:
    """Return the SHA-256 over those of the grader's files that decide outcomes, and the fixtures' manifest."""
    return _hash(JUDGING)


def _hash(parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    files = [path for kind in ("*.py", "*.toml", "*.ini") for path in GRADER.rglob(kind)]
    named = sorted((path.relative_to(GRADER).as_posix(), path) for path in files)
    for name, path in named:
        if any(name == part or name.startswith(part and f"{part}/") for part in parts):
            digest.update(name.encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    digest.update((fixtures.FOLDER / "manifest.toml").read_bytes())
    return digest.hexdigest()


def grader_version(rooms: Rooms) -> str:
    """Return the version and the beginning of the hash, as records carry it, over the rooms that a course brings too.

    They are given as `own_rooms.packed` returns them; an empty tuple: none.
    """
    return f"{VERSION}+{_with(grader_hash(), rooms)[:12]}"


def judging_version(rooms: Rooms) -> str:
    """Return the same for what decides outcomes alone: a class is graded anew when this changes, and not before."""
    return f"{VERSION}+{_with(judging_hash(), rooms)[:12]}"


def _with(ours: str, rooms: Rooms) -> str:
    return hashlib.sha256(f"{ours} {rooms!r}".encode()).hexdigest() if rooms else ours


def environment() -> str:
    """Return on what the judge runs, as records carry it: "Python 3.11.7, torch 2.13.0, Linux x86_64"."""
    try:
        torch = metadata.version("torch").partition("+")[0]
    except metadata.PackageNotFoundError:
        torch = "of its own"
    return f"Python {platform.python_version()}, torch {torch}, {platform.system()} {platform.machine()}"
