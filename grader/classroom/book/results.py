"""What the gradebook holds, read with care: results, times, notes; and what they count in a syllabus."""

from __future__ import annotations

from dataclasses import replace
from datetime import MAXYEAR, datetime
from typing import Any, Protocol

from grader import files, record
from grader.schema import shown
from grader.syllabus import Milestone


class GradebookError(Exception):
    """The file cannot be used as a gradebook; the text is one sentence."""


class Rows(Protocol):
    """What can be asked for rows: a gradebook."""

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""


def read(text: str, student: str, milestone: str) -> record.Milestone:
    """Read a result that the gradebook holds. Raises GradebookError when it is none."""
    try:
        return record.milestone_from_json(files.parse_json(text))
    except ValueError as error:
        said = f"The gradebook's result of {milestone} for {student} cannot be read ({error})"
        raise GradebookError(f"{said}; grade it anew with --regrade.") from None


def moment(text: str) -> datetime:
    """Read a time that the gradebook holds. Raises GradebookError when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise GradebookError(f"The gradebook says that something was handed in at {shown(text)}, no time.") from None
    if not 1 < found.year < MAXYEAR:  # so that it has a time in every zone
        raise GradebookError(f"The gradebook says that something was handed in at {shown(text)}, which was never.")
    return found


def sentences(text: str) -> list[str]:
    """Read notes that the gradebook holds. Raises GradebookError when they are none."""
    try:
        found = files.parse_json(text or "[]")
    except ValueError as error:
        raise GradebookError(f"The gradebook holds notes that cannot be read ({error}).") from None
    if not isinstance(found, list) or not all(isinstance(note, str) for note in found):
        raise GradebookError("The gradebook holds notes that are no list of sentences.")
    return found


def priced(result: record.Milestone, milestone: Milestone) -> record.Milestone:
    """Return a result with the points that its tasks have in this syllabus; a task is earned whole or not at all."""
    points = {task.id: task.points for task in milestone.tasks}
    tasks = []
    for task in result.tasks:
        now = points.get(task.id, task.points)
        tasks.append(replace(task, points=now, earned=now if task.earned else 0.0))
    return replace(result, tasks=tasks)
