"""Putting a handout into a folder: a new one, or one that is a handout already and that students may have worked in."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader import files

from .contents import MANIFEST, Handout, HandoutError, read_manifest

LARGEST = 256 * 2**20  # bytes of a file that an update looks at
OURS = ("grader/", "fixtures/", MANIFEST)  # what students have no reason to change: an update puts it right
BESIDE = ".new"  # the ending of what comes beside a file that somebody has changed


@dataclass
class Written:
    """What became of the folder."""

    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  # somebody's work that the update had no reason to touch
    notes: list[str] = field(default_factory=list)  # one sentence each: what a person has to look at


def check_new(folder: Path) -> None:
    """Raise HandoutError where a folder holds anything but a fresh repository of git's."""
    if folder.exists() and not folder.is_dir():
        raise HandoutError(f"{folder} is a file; name a folder for the handout.")
    if folder.is_dir() and (there := sorted(path.name for path in folder.iterdir() if path.name != ".git")):
        if MANIFEST in there:
            raise HandoutError(f"{folder} is a handout already; --update brings it up to date and keeps what is yours.")
        raise HandoutError(f"{folder} is not empty (it has {there[0]}); name a new folder for the handout.")


def write(handout: Handout, folder: Path) -> Written:
    """Write a new handout. Raises HandoutError as `check_new` does."""
    check_new(folder)
    result = Written()
    for path, data in handout.files.items():
        _put(folder, path, data)
        result.written.append(path)
    return result


def update(handout: Handout, folder: Path) -> Written:
    """Bring a folder up to date: what nobody changed is replaced, what somebody changed is kept.

    The grader and the fixtures are put back as they belong. Raises HandoutError for a folder that is no handout.
    """
    try:
        before = read_manifest(files.read_text(folder / MANIFEST, LARGEST))
    except (OSError, ValueError):
        raise HandoutError(f"{folder} is no handout: it has no {MANIFEST}.") from None
    except HandoutError as error:
        raise HandoutError(f"{folder} is no handout: {error}.") from None
    result = Written()
    for path, data in handout.files.items():
        if path != MANIFEST:
            _refresh(folder, path, data, before.get(path), result)
    for path in sorted(set(before) - set(handout.files)):
        _retire(folder, path, before[path], result)
    _put(folder, MANIFEST, handout.files[MANIFEST])  # last, so that an update that was cut short can be repeated
    return result


def _refresh(folder: Path, path: str, data: bytes, before: str | None, result: Written) -> None:
    there = _read(folder, path)
    if there is not None and _same(there, _digest(data)):
        return
    touched = there is not None and (before is None or not _same(there, before))
    if not touched or path.startswith(OURS):
        _put(folder, path, data)
        result.written.append(path)
        if touched:
            result.notes.append(f"{path} had been changed, and is the course's own again.")
        return
    result.kept.append(path)
    if before != _digest(data):
        _put(folder, path + BESIDE, data)
        result.notes.append(f"{path} has been changed here and in the course; the course's is {path}{BESIDE}.")


def _retire(folder: Path, path: str, before: str, result: Written) -> None:
    """Remove a file that the course no longer has, unless somebody has worked in it."""
    if not _is_inside(path):
        raise HandoutError(f"{folder} is no handout: its {MANIFEST} names {path!r}, which lies outside of it.")
    there = _read(folder, path)
    if there is None:
        return
    if path.startswith(OURS) or _same(there, before):
        (folder / path).unlink()
        result.removed.append(path)
        _remove_empty(folder, PurePosixPath(path).parent)
    else:
        result.kept.append(path)
        result.notes.append(f"{path} is no longer part of the course, and was changed here: it stays.")


def _read(folder: Path, path: str) -> bytes | None:
    place = folder / path
    for part in (place, *place.parents):
        if part == folder:
            break
        if part.is_symlink():
            raise HandoutError(f"{part} is a symbolic link; an update does not write through it.")
    try:
        return files.read(place, LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise HandoutError(f"{place} cannot be read ({files.reason(error)}).") from None


def _put(folder: Path, path: str, data: bytes) -> None:
    """Write a file as a whole or not at all."""
    place = folder / path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".handout-")
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            os.chmod(name, 0o644)
            os.replace(name, place)
        except BaseException:  # an interrupt as well: no half a file stays; it is raised again
            os.unlink(name)
            raise
    except OSError as error:
        raise HandoutError(f"{place} cannot be written ({(error.strerror or str(error)).lower()}).") from None


def _is_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and "\\" not in path and ":" not in path


def _remove_empty(folder: Path, below: PurePosixPath) -> None:
    while below.parts:
        place = folder / below
        for cache in place.glob("__pycache__/*.pyc"):
            if not (place / f"{cache.name.partition('.')[0]}.py").exists():
                cache.unlink()
        for empty in (place / "__pycache__", place):
            if empty.is_dir() and not any(empty.iterdir()):
                empty.rmdir()
        below = below.parent


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _same(there: bytes, digest: str) -> bool:
    """Whether a file is the one with this hash, whatever git made of its line ends."""
    return digest in (_digest(there), _digest(there.replace(b"\r\n", b"\n")))
