"""From the gradebook's rows to where the class stands, with a course's own points and what lateness costs."""

from __future__ import annotations

from dataclasses import replace
from datetime import MAXYEAR, datetime
from typing import Any, Protocol

from grader import files, record
from grader.course import Course
from grader.schema import shown
from grader.syllabus import Milestone, Syllabus

from .standing import ClassResult, Column, Standing, Student

CURRENT = """
    SELECT standing.student, standing.milestone, standing.handed_in, record, result.grader, result.conditions, official
    FROM standing JOIN result ON result.id = standing.result JOIN run ON run.id = result.run
    WHERE standing.id IN (SELECT MAX(id) FROM standing WHERE result IS NOT NULL GROUP BY student, milestone)
"""
FAULTS = """
    SELECT student, milestone, fault FROM standing
    WHERE id IN (SELECT MAX(id) FROM standing GROUP BY student, milestone) AND result IS NULL
    ORDER BY milestone
"""
STUDENTS = """
    SELECT student.id, name, email, origin, handed_in, problem, notes FROM student
    LEFT JOIN handin ON handin.id = (SELECT MAX(id) FROM handin WHERE handin.student = student.id)
    WHERE position IS NOT NULL OR handin.id IS NOT NULL
    ORDER BY position IS NULL, position, student.id
"""
LAST_RUN = "SELECT grader, conditions, isolation FROM run ORDER BY id DESC LIMIT 1"


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


def class_result(book: Rows, whole: Syllabus, course: Course | None = None) -> ClassResult:
    """Return where the class stands. Raises GradebookError, and CourseError when the course does not fit."""
    chosen = course.syllabus(whole) if course else whole
    milestones = {milestone.id: milestone for milestone in chosen.milestones}
    run = book.rows(LAST_RUN)
    grader, conditions, isolation = run[0] if run else ("", "", "")
    standings = {row[0]: _standing(row) for row in book.rows(STUDENTS)}
    older: set[str] = set()
    official = bool(run)
    for student, name, handed_in, text, graded_by, under, counts in book.rows(CURRENT):
        if name not in milestones or student not in standings:
            continue
        found = priced(read(text, student, name), milestones[name])
        standings[student].milestones[name] = found
        official = official and bool(counts)
        if (graded_by, under) != (grader, conditions):
            older.add(student)
        if course and handed_in:
            lost = course.penalty(name, found.earned, moment(handed_in))
            if lost:
                standings[student].penalties[name] = lost
    for student, name, fault in book.rows(FAULTS):
        if name in milestones and student in standings:
            earlier = " The result of an earlier run still counts." if name in standings[student].milestones else ""
            standings[student].notes.append(f"{fault}{earlier}")
    notes = []
    if older:
        people = "1 student has" if len(older) == 1 else f"{len(older)} students have"
        notes.append(
            f"{people} results from an earlier grader or from other conditions than the last run's; "
            "grade the whole class again to bring all to one measure."
        )
    columns = [_column(milestone, course) for milestone in chosen.milestones]
    return ClassResult(chosen.name, columns, list(standings.values()), grader, isolation, official, notes)


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


def _standing(row: tuple[Any, ...]) -> Standing:
    student, name, email, origin, handed_in, problem, notes = row
    return Standing(
        Student(student, name, email),
        origin=origin or "",
        handed_in=handed_in or "",
        problem=problem or "",
        notes=sentences(notes or ""),
    )


def _column(milestone: Milestone, course: Course | None) -> Column:
    due = course.due(milestone.id) if course else None
    return Column(milestone.id, milestone.title, milestone.points, due.isoformat() if due else "")
