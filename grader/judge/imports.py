"""What is said of imports that a submission's module may not have: all of them at once, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterable

from grader.syllabus import Milestone, Syllabus

MOST = 8  # that are named


def problems(
    refused: Iterable[tuple[str, int]], absent: Iterable[tuple[str, int]], milestone: Milestone, syllabus: Syllabus
) -> list[str]:
    """Return a sentence for each kind of import that can't be: packages, our modules without a dot, files not taken."""
    course = {one.id for one in syllabus.milestones}
    undotted = [(name, line) for name, line in refused if name in course]
    packages = [(name, line) for name, line in refused if name not in course]
    elsewhere = [(name, line) for name, line in absent if name in course]
    files = [(name, line) for name, line in absent if name not in course]
    allowed = ", ".join((*syllabus.allowed_imports, *milestone.imports))
    found = []
    if packages:
        found.append(f"{_listed(packages)} may not be imported (allowed: {allowed}, the standard library).")
    if undotted:
        name = undotted[0][0]
        found.append(f"{_listed(undotted)} is reached with a dot: write `from .{name} import ...`.")
    if elsewhere:
        made_of = [name for name in syllabus.with_uses(milestone) if name != milestone.id]
        rest = f"it is made of {', '.join(made_of)}" if made_of else "it is made of nothing but itself"
        found.append(f"{_listed(elsewhere)} is not there when {milestone.number} is graded: {rest}.")
    if files:
        found.append(
            f"{_listed(files)} is not there: of a folder only the mNN modules are taken. "
            f"Put what you need of it into {milestone.id}.py."
        )
    return [f"{milestone.id}.py, {sentence}" for sentence in found]


def _listed(found: list[tuple[str, int]]) -> str:
    """Return "line 1: a, line 2: b and line 3: c"."""
    named = [f"line {line}: {name}" for name, line in found[:MOST]]
    if len(found) > MOST:
        named.append(f"{len(found) - MOST} more")
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)
