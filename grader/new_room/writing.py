"""Writing the files of a new milestone: each says what belongs there, and nothing passes until it is filled."""

from __future__ import annotations

from pathlib import Path

from grader.syllabus import GUIDE, MILESTONE_ID, OWN_ID, SOLUTION, STUB, Syllabus, SyllabusError

TEMPLATE = Path(__file__).parent / "template"
PLACES = {  # in the template -> in the repository
    "exercise.py.txt": "exercises/{id}.py",
    "guide.md.txt": "exercises/{id}.md",
    "solution.py.txt": "solutions/{id}.py",
    "room.py.txt": "grader/suites/{id}/__init__.py",
    "milestone.toml.txt": "grader/suites/{id}/milestone.toml",
    "suite.py.txt": "grader/suites/{id}/test_suite.py",
    "oracle.py.txt": "grader/suites/{id}/oracle.py",
    "proof.py.txt": "tests/milestones/{id}/__init__.py",
    "mutants.toml.txt": "tests/milestones/{id}/mutants.toml",
    "test_guide.py.txt": "tests/milestones/{id}/test_guide.py",
    "alternate.py.txt": "tests/milestones/{id}/alternates/other_hands.py",
}
OWN_PLACES = {  # in the template -> in the folder of a course's own rooms; its proof is `verify`
    "exercise.py.txt": f"{{id}}/{STUB}",
    "guide.md.txt": f"{{id}}/{GUIDE}",
    "solution.py.txt": f"{{id}}/{SOLUTION}",
    "room.py.txt": "{id}/__init__.py",
    "milestone.toml.txt": "{id}/milestone.toml",
    "suite.py.txt": "{id}/test_suite.py",
    "oracle.py.txt": "{id}/oracle.py",
}


def write(milestone: str, course: Syllabus, root: Path) -> list[str]:
    """Write a new milestone's files below the repository's root and return their paths.

    Raises SyllabusError for a name that is none or is taken; nothing is written then.
    """
    if not MILESTONE_ID.fullmatch(milestone) or OWN_ID.fullmatch(milestone):
        raise SyllabusError(f"{milestone!r} is no name for a milestone of ours; write it like m21_name.")
    if taken := [other.id for other in course.milestones if other.number == milestone[:3]]:
        raise SyllabusError(f"{milestone[:3]} is taken by {taken[0]}; choose another number.")
    return _write(milestone, PLACES, root)


def write_own(milestone: str, folder: Path) -> list[str]:
    """Write the room of a milestone that a course brings below a folder, and return the paths in it.

    Raises SyllabusError for a name that is none, and where something is there already; nothing is written then.
    """
    if not OWN_ID.fullmatch(milestone):
        raise SyllabusError(f"{milestone!r} is no name for a milestone of a course's own; write it like x01_name.")
    if taken := [path.name for path in sorted(folder.glob(f"{milestone[:3]}_*")) if path.name != milestone]:
        raise SyllabusError(f"{milestone[:3]} is taken by {taken[0]}; choose another number.")
    return _write(milestone, OWN_PLACES, folder)


def _write(milestone: str, into: dict[str, str], root: Path) -> list[str]:
    places = {name: root / path.format(id=milestone) for name, path in into.items()}
    if there := [path for path in places.values() if path.exists()]:
        raise SyllabusError(f"{there[0].relative_to(root).as_posix()} is there already; nothing was written.")
    for name, path in places.items():
        text = (TEMPLATE / name).read_text(encoding="utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("<<id>>", milestone).replace("<<number>>", milestone[:3]), encoding="utf-8")
    return [path.relative_to(root).as_posix() for path in places.values()]
