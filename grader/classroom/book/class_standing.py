"""From the gradebook's rows to where the class stands: a course's points, lateness, and what people decided."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from grader import course as courses
from grader import lateness, record
from grader.course import Course
from grader.safe_text import one_line
from grader.syllabus import Syllabus

from . import decisions, doubts
from .decisions import Decision
from .results import Rows, moment, priced, read, sentences
from .standing import Adjustment, ClassResult, Column, Standing, Student

CURRENT = """
    SELECT standing.student, standing.milestone, standing.handed_in, record, result.grader, result.conditions, official,
        result.id
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
LISTED = "SELECT id FROM student WHERE position IS NOT NULL"
LAST_RUN = "SELECT grader, conditions, isolation FROM run ORDER BY id DESC LIMIT 1"
MODULES = """
    SELECT student, milestone, origin FROM module
    WHERE id IN (SELECT MAX(id) FROM module GROUP BY student, milestone)
"""
_NOT_THERE = re.compile(r"\b(m|x)\d\d_\w+\.py is missing\b")


def class_result(book: Rows, whole: Syllabus, course: Course | None = None, now: datetime | None = None) -> ClassResult:
    """Return where the class stands; `now` decides what is due. Raises GradebookError, and CourseError."""
    now = now or datetime.now(UTC)
    decided = decisions.holding(book)
    course = decisions.applied(course or courses.plain(whole), decided, whole)
    chosen = course.syllabus(whole)
    own_points = {task.id: task.points for milestone in course.whole(whole).milestones for task in milestone.tasks}
    made = _Class(book, course, chosen, own_points, now)
    made.read_results()
    made.read_faults()
    made.note_doubts()
    made.let_people_decide(decided)
    made.take_off_lateness()
    made.say_what_is_absent()
    columns = [_column(milestone.id, milestone.title, milestone.points, course, now) for milestone in chosen.milestones]
    result = ClassResult(
        chosen.name, columns, list(made.standings.values()), made.grader, made.isolation,
        bool(made.counting) and all(made.counting), rounding=course.rounding,
    )  # fmt: skip
    result.notes = [*made.notes(), *_above(result), *_out_of(result, now)]
    return result


@dataclass(frozen=True)
class _Counts:
    """Which result of a milestone counts, and when its module was first handed in."""

    id: int
    handed_in: str


class _Class:
    """A class while it is put together."""

    def __init__(
        self, book: Rows, course: Course, whole: Syllabus, own_points: Mapping[str, float], now: datetime
    ) -> None:
        self._book, self._course, self._whole, self._now = book, course, whole, now
        self._own_points = own_points  # of each task, before the course makes others of them
        self._milestones = {milestone.id: milestone for milestone in whole.milestones}
        run = book.rows(LAST_RUN)
        self.grader, self._conditions, self.isolation = run[0] if run else ("", "", "")
        self.standings = {row[0]: _standing(row, course) for row in book.rows(STUDENTS)}
        self.counting: list[bool] = []  # whether each result is an official one
        self._counts: dict[tuple[str, str], _Counts] = {}
        self._older: set[str] = set()
        self._faults: set[tuple[str, str]] = set()
        self._stale: list[str] = []

    def read_results(self) -> None:
        """Take in the results that count."""
        for student, name, handed_in, text, graded_by, under, official, number in self._book.rows(CURRENT):
            if name not in self._milestones or student not in self.standings:
                continue
            found = priced(read(text, student, name), self._milestones[name])
            if _was_not_there(found):
                continue
            self.standings[student].milestones[name] = found
            self._counts[student, name] = _Counts(number, handed_in)
            self.counting.append(bool(official))
            if (graded_by, under) != (self.grader, self._conditions):
                self._older.add(student)

    def read_faults(self) -> None:
        """Note what the grader has failed at since."""
        for student, name, fault in self._book.rows(FAULTS):
            if name in self._milestones and student in self.standings:
                self._faults.add((student, name))
                standing = self.standings[student]
                earlier = " The result of an earlier run still counts." if name in standing.milestones else ""
                standing.notes.append(f"{fault}{earlier}")

    def note_doubts(self) -> None:
        """Note what is not clear, and give no mark where the only result is that of an untouched stub."""
        listed = [student for (student,) in self._book.rows(LISTED)]
        for student in self.standings.keys() - listed if listed else ():
            self.standings[student].guest = True
        found = doubts.open_doubts(self._book, listed or list(self.standings), list(self._milestones))
        for (student, name), (why, theirs) in found.items():
            if (standing := self.standings.get(student)) is None or name not in self._milestones:
                continue
            result = standing.milestones.get(name)
            if result is None or (result.untouched and why != doubts.NOT_ASKED):
                standing.milestones.pop(name, None)
                standing.doubts[name] = why
            elif theirs:  # what they have handed in before goes on counting
                standing.doubts[name] = why

    def take_off_lateness(self) -> None:
        """Find what each student's late milestones lose; a task that a person changed counts as changed."""
        for student, standing in self.standings.items():
            times = {
                name: moment(self._counts[student, name].handed_in)
                for name in standing.milestones
                if self._counts[student, name].handed_in
            }
            standing.times = {name: self._counts[student, name].handed_in for name in times}
            # Of who is excused, or was given a mark, lateness takes nothing, and no late day is spent on it.
            times = {name: at for name, at in times.items() if name not in standing.excused}
            earned = {name: 0.0 if standing.is_set(name) else standing.raw(name) for name in times}
            standing.lateness = self._course.lateness(student, earned, times)
            standing.penalties = {name: late.lost for name, late in standing.lateness.items() if late.lost}

    def say_what_is_absent(self) -> None:
        """Tell what was never handed in from what was and has no result, and make it 0 where the course says so."""
        handed = {(student, name): origin for student, name, origin in self._book.rows(MODULES)}
        for student, standing in self.standings.items():
            standing.origins = {name: handed[student, name] for name in self._milestones if (student, name) in handed}
            for name in self._milestones:
                if name in standing.milestones:
                    continue
                due = self._course.due_for(name, student)
                if due is not None and due > self._now:
                    standing.pending.append(name)
                if name in standing.doubts:
                    standing.waiting[name] = standing.doubts[name]
                    continue
                if (student, name) in self._faults:
                    standing.waiting[name] = "The grader could not grade it; the next run tries again."
                elif (student, name) in handed:
                    standing.waiting[name] = self._why_ungraded(student, name, handed)
                if name in standing.waiting or standing.problem:
                    continue
                standing.absent[name] = "Nothing was handed in."
                if self._course.zero and due is not None and due <= self._now:
                    standing.zeros.append(name)
                    standing.absent[name] = "Nothing was handed in when it was due."

    def _why_ungraded(self, student: str, name: str, handed: dict[tuple[str, str], str]) -> str:
        """Return why a module that was handed in has no result, in a sentence."""
        needs = [need for need in self._whole.with_needs(self._whole.milestone(name)) if (student, need) not in handed]
        if needs:
            return f"It is made of {', '.join(need[:3] for need in needs)}, which was never handed in."
        return "It is not graded yet; the next run that names it does so."

    def let_people_decide(self, decided: Iterable[Decision]) -> None:
        """Take in adjustments, excuses and what was released."""
        released, drafts = set(), self._course.drafts
        for each in decided:
            standing = self.standings.get(each.student)
            match each.kind:
                case decisions.ADJUST if standing and each.milestone in self._milestones:
                    decisions.number(each)
                    standing.adjustments.append(
                        Adjustment(
                            each.milestone,
                            each.task,
                            each.value,
                            each.reason,
                            each.author,
                            each.made,
                            self._own_points.get(each.task, 0.0),
                        )
                    )
                    self._look_at_age(each)
                case decisions.EXCUSE if standing:
                    for name in [each.milestone] if each.milestone else self._milestones:
                        standing.excused[name] = each.reason
                case decisions.REQUEST if standing and each.value == decisions.CLOSED and each.reason:
                    standing.answers[each.milestone] = each.reason
                case decisions.DRAFTS:
                    drafts = True
                case decisions.RELEASE:
                    released.add((each.student, each.milestone))
        if not drafts:
            return
        for student, standing in self.standings.items():
            standing.drafts = [
                name
                for name in self._milestones
                if not {("", ""), ("", name), (student, ""), (student, name)} & released
            ]

    def _look_at_age(self, each: Decision) -> None:
        """Notice an adjustment of a result that is not the one that counts now."""
        counts = self._counts.get((each.student, each.milestone))
        if counts is not None and each.result not in (None, counts.id):
            standing = self.standings[each.student]
            self._stale.append(f"{standing.student.name or standing.student.id} {each.milestone[:3]}")

    def notes(self) -> list[str]:
        """Return what there is to say of the class as a whole."""
        found = []
        if self._older:
            people = "1 student has" if len(self._older) == 1 else f"{len(self._older)} students have"
            found.append(
                f"{people} results from an earlier grader or from other conditions than the last run's; "
                "grade the whole class again to bring all to one measure (classroom --held)."
            )
        if self._stale:
            found.append(f"Adjusted before a newer result, which may not need it any more: {', '.join(self._stale)}.")
        known = self.standings
        strange = [
            each.student
            for each in self._course.extensions
            if each.student and not any(lateness.same(each.student, student) for student in known)
        ]
        if strange:
            found.append(f"Somebody who is not in the gradebook has more time: {', '.join(map(one_line, strange))}.")
        return found


def _was_not_there(result: record.Milestone) -> bool:
    """Tell whether a result is the 0 that earlier versions gave for a module that was not handed in."""
    found = _NOT_THERE.search(result.problem or "")
    return found is not None and found[0].startswith(f"{result.id}.py")


def _standing(row: tuple[Any, ...], course: Course) -> Standing:
    student, name, email, origin, handed_in, problem, notes = row
    return Standing(
        Student(student, name, email),
        origin=origin or "",
        handed_in=handed_in or "",
        problem=problem or "",
        notes=sentences(notes or ""),
        rounding=course.rounding,
    )


def _column(name: str, title: str, points: float, course: Course, now: datetime) -> Column:
    due = course.due(name)
    shown = due.isoformat() if due else ""
    return Column(name, title, points, shown, course.part(name).weight, due is None or due <= now)


def _above(result: ClassResult) -> list[str]:
    """Return whose mark is more than can be earned, as a bonus is, and as a mark becomes when a task is excluded."""
    found = [
        f"{one.student.name or one.student.id} {column.milestone[:3]} ({mark:g} of {column.possible:g})"
        for one in result.standings
        for column in result.columns
        if (mark := one.mark(column.milestone)) is not None and mark > column.possible + 1e-6
    ]
    return [f"Marks above what can be earned: {', '.join(found)}."] if found else []


def _out_of(result: ClassResult, now: datetime) -> list[str]:
    """Return what totals are out of, where that is not everything."""
    later = [column.milestone[:3] for column in result.columns if not column.counts]
    if not later:
        return []
    day = now.astimezone().isoformat(sep=" ", timespec="minutes")[:16]
    count = "counts once it is" if len(later) == 1 else "count once they are"
    return [f"Totals are out of what is due by {day}; {', '.join(later)} {count}."]
