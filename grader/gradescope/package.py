"""The autograder as Gradescope takes it: a zip with two scripts at its root, and beside them what grading needs.

Left out: tests, benchmarks, pages, stubs, history. Solutions come in only where earlier milestones are to be taken from
them, and then just those.
"""

from __future__ import annotations

import json
import os
import secrets
import zipfile
from dataclasses import dataclass
from pathlib import Path

from grader import own_rooms
from grader.syllabus import SOLUTION, Milestone, Syllabus

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).with_name("autograder")
NEEDED = ("grader", "fixtures", "pyproject.toml", "constraints.txt", "LICENSE")
COURSE = "course"  # the folder for them in the zip
COURSE_FILE = "course.toml"  # what the instructor calls the course, beside the settings
ROOMS = "rooms"  # the folder for what the course brings
SCRIPT, FILE, SECRET = 0o755, 0o644, 0o600
WHEN = (2020, 1, 1, 0, 0, 0)  # the same input gives the same bytes


@dataclass(frozen=True)
class Assignment:
    """What one assignment on Gradescope grades, and how."""

    milestones: list[Milestone]
    official: bool = True
    secret_seed: str = ""
    prerequisites: str = "submission"
    isolation: str = "auto"
    minutes: int = 9  # Gradescope ends an autograder after ten, unless told otherwise, and shows the student nothing
    course: bytes = b""  # the course's file, where there is one: its milestones and points

    def settings(self) -> str:
        """Return what the container reads, as JSON."""
        plain = {
            "milestones": [milestone.id for milestone in self.milestones],
            "official": self.official,
            "prerequisites": self.prerequisites,
            "isolation": self.isolation,
            "course": COURSE_FILE if self.course else None,
        }
        return json.dumps(plain, indent=2) + "\n"


def draw_seed() -> str:
    """Return a new secret seed."""
    return secrets.token_hex(16)


def write(out: Path, assignment: Assignment, course: Syllabus) -> list[str]:
    """Write the zip, readable to its owner alone, and return the names in it. Raises OSError."""
    parts: list[tuple[str, bytes, int]] = [
        (path.name, path.read_bytes(), SCRIPT) for path in sorted(SCRIPTS.iterdir()) if path.is_file()
    ]
    parts.append(("assignment.json", assignment.settings().encode(), FILE))
    parts.append(("minutes", f"{assignment.minutes}\n".encode(), FILE))
    if assignment.course:
        parts.append((COURSE_FILE, assignment.course, FILE))
    if assignment.official:
        parts.append(("secret_seed", f"{assignment.secret_seed}\n".encode(), SECRET))
    for milestone in course.own:
        for name, data in own_rooms.contents(milestone).items():
            parts.append((f"{ROOMS}/{milestone.id}/{name}", data, FILE))
        if milestone.id in earlier(assignment, course):
            parts.append((f"{ROOMS}/{milestone.id}/{SOLUTION}", milestone.solution.read_bytes(), FILE))
    for path in needed(assignment, course):
        parts.append((f"{COURSE}/{path.relative_to(REPOSITORY).as_posix()}", path.read_bytes(), FILE))
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), SECRET)
    try:
        with open(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data, mode in parts:
                entry = zipfile.ZipInfo(name, WHEN)
                entry.create_system, entry.external_attr = 3, (0o100000 | mode) << 16
                archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
        os.replace(beside, out)
    except BaseException:  # an interrupt as well: no half a file stays; it is raised again
        beside.unlink(missing_ok=True)
        raise
    return [name for name, _, _ in parts]


def needed(assignment: Assignment, course: Syllabus) -> list[Path]:
    """Return the repository's files that grading needs, in a fixed order."""
    found = []
    for name in NEEDED:
        path = REPOSITORY / name
        found += [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if _belongs(file)]
    own = {milestone.id for milestone in course.own}
    found += [REPOSITORY / "solutions" / f"{name}.py" for name in sorted(earlier(assignment, course) - own)]
    return found


def earlier(assignment: Assignment, course: Syllabus) -> set[str]:
    """Return the modules that come from the solutions."""
    if assignment.prerequisites != "solutions":
        return set()
    graded = {milestone.id for milestone in assignment.milestones}
    return {name for milestone in assignment.milestones for name in course.with_needs(milestone)} - graded


def _belongs(path: Path) -> bool:
    parts = path.relative_to(REPOSITORY).parts
    return path.is_file() and not path.is_symlink() and not any(p == "__pycache__" or p.startswith(".") for p in parts)
