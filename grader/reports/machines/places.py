"""Where in a student's module a task's definition begins, found without parsing what may be hostile."""

from __future__ import annotations

import re
from collections.abc import Mapping

from grader.syllabus import Syllabus


def definitions(sources: Mapping[str, bytes], syllabus: Syllabus) -> dict[str, tuple[str, int]]:
    """Return for each task the module's file name and the line of the first definition that it asks for.

    A line is found by a regular expression: a parser can be brought down by what it reads, and this runs beside the
    verdict. Tasks whose definitions are not there are left out.
    """
    found = {}
    for milestone in syllabus.milestones:
        text = sources.get(milestone.id, b"").decode("utf-8", errors="replace")
        for task in milestone.tasks:
            line = next((line for name in task.implements if (line := _line(text, name))), None)
            if line is not None:
                found[task.id] = (f"{milestone.id}.py", line)
    return found


def _line(text: str, name: str) -> int | None:
    """Return the line on which `name`, or the method of `Class.method`, is defined; counted from 1."""
    begin = end = 0
    for part in name.split("."):
        match = re.compile(rf"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+{re.escape(part)}\b", re.M).search(text, end)
        if match is None:
            return None
        begin, end = match.span()
    return text.count("\n", 0, begin) + 1
