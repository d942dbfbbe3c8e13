"""Taking a submission: an allowlist of regular files, read once, and what is wrong with each of the rest."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from .syllabus import Syllabus


class SubmissionError(Exception):
    """The folder as a whole cannot be graded; the text is one sentence."""


@dataclass
class Submission:
    """The sources taken from a folder, and one sentence for each module that could not be taken."""

    folder: str
    sources: dict[str, bytes] = field(default_factory=dict)  # module id -> source
    problems: dict[str, str] = field(default_factory=dict)  # module id -> what is wrong with its file

    def digest(self, modules: list[str]) -> str:
        """Return the SHA-256 of exactly these modules' sources."""
        digest = hashlib.sha256()
        for module in modules:
            source = self.sources.get(module)
            digest.update(f"{module}\0{-1 if source is None else len(source)}\0".encode())
            digest.update(source or b"")
        return digest.hexdigest()

    def replaced(self, modules: list[str], other: Submission) -> Submission:
        """Return this submission with some modules taken from another one."""
        sources, problems = dict(self.sources), dict(self.problems)
        for module in modules:
            sources.pop(module, None)
            problems.pop(module, None)
            if module in other.sources:
                sources[module] = other.sources[module]
            if module in other.problems:
                problems[module] = other.problems[module]
        return Submission(self.folder, sources, problems)


def collect(folder: Path, syllabus: Syllabus) -> Submission:
    """Read the course's modules out of a folder; links, pipes, devices and oversized files are refused one by one.

    Raises SubmissionError when there is no such folder, or none of the course's modules in it.
    """
    name = _shown(folder)
    if not folder.is_dir():
        raise SubmissionError(f"There is no folder {name}; --submission wants the folder with the mNN_*.py files.")
    submission = Submission(name)
    for milestone in syllabus.milestones:
        path = folder / f"{milestone.id}.py"
        shown = f"{name}/{path.name}"
        try:
            submission.sources[milestone.id] = read_regular(path, syllabus.max_source_bytes)
        except FileNotFoundError:
            submission.problems[milestone.id] = f"{shown} is missing; put the stub back to start from."
        except (OSError, ValueError) as error:
            submission.problems[milestone.id] = f"{shown} cannot be taken: {_reason(error)}."
    if all("is missing" in problem for problem in submission.problems.values()) and not submission.sources:
        first = syllabus.milestones[0].id
        raise SubmissionError(f"The folder {name} has none of the course's modules ({first}.py and so on).")
    return submission


def _shown(folder: Path) -> str:
    try:
        relative = os.path.relpath(folder)
    except ValueError:  # another drive of Windows
        return str(folder)
    return str(folder) if relative.startswith("..") else relative


def read_regular(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file. Raises ValueError for anything else, and for more than `limit` bytes."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"it is a {_kind(status.st_mode)}, not a regular file")
    # Opened without following a link or waiting for a pipe that may have taken the file's place since.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    with open(descriptor, "rb") as file:
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode):
            raise ValueError("it is not a regular file")
        if opened.st_nlink > 1:
            raise ValueError("it is a hard link, another name of a file that may be somebody else's")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit // 1024} kB, which no solution needs")
    return data


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "named pipe", stat.S_IFDIR: "folder", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
