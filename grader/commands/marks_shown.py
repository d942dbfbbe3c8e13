"""What `marks` prints: what was decided, what holds, and which requests are open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grader.classroom.book import decisions
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.decisions import Decision
from grader.classroom.book.gradebook import Gradebook
from grader.classroom.book.standing import ClassResult, Standing, Student
from grader.counting import counted
from grader.reports import words
from grader.safe_text import one_line
from grader.syllabus import Syllabus

ANSWERS = (decisions.ADJUST, decisions.EXCUSE)  # which close a request for the same milestone


def decided(
    made: list[Decision], added: int, known: dict[str, Student], result: ClassResult, book: Gradebook, whole: Syllabus
) -> None:
    """Say what was decided, and what each mark that it is about is now."""
    standings = {one.student.id: one for one in result.standings}
    for each in made:
        print(f"{_what(each, whole)}{_now(each, standings.get(each.student))}")
        if each.student and each.student not in known:
            print(f"  {one_line(each.student, 100)} is not in the gradebook yet; it holds as soon as they are.")
    same = len(made) - added
    rest = f"; {counted(same, 'other')} held already" if same else ""
    print(f"{counted(added, 'decision')} kept in {book.path}{rest}.")


def history(all_of_them: Iterable[Decision], student: str | None, whole: Syllabus) -> None:
    """Print decisions, the earliest first."""
    shown = [each for each in all_of_them if student is None or each.student == student]
    for each in shown:
        print(f"{each.made}  {one_line(each.author, 40)}  {_what(each, whole)}")
    if not shown:
        print("Nothing was decided.")


def requests(book: Gradebook, whole: Syllabus, course: Any) -> None:
    """Print the requests that are open, with what the mark is now."""
    standings = {one.student.id: one for one in class_result(book, whole, course).standings}
    answered = [each for each in decisions.history(book) if each.kind in ANSWERS]
    holding = [
        each for each in decisions.holding(book) if each.kind == decisions.REQUEST and each.value == decisions.OPEN
    ]
    waiting = [
        each
        for each in holding
        if not any(
            (later.student, later.milestone) == (each.student, each.milestone) and later.id > each.id
            for later in answered
        )
    ]
    for each in waiting:
        print(f"{_what(each, whole)}{_now(each, standings.get(each.student))}")
    print(f"{counted(len(waiting), 'request')} open; adjust, excuse, or `request --close` with the answer as reason.")


def erased(students: list[Student], book: Gradebook) -> None:
    """Say who was erased, and where else something of theirs may lie."""
    print(f"Erased from {book.path}: {', '.join(one_line(student.id, 100) for student in students)}.")
    print("What was exported, downloaded or copied before is not in there: look for it yourself.")


def _now(each: Decision, standing: Standing | None) -> str:
    if standing is None or not each.milestone:
        return ""
    mark = standing.mark(each.milestone)
    if each.milestone in standing.excused:
        return "  (excused)"
    return "  (no mark now)" if mark is None else f"  ({words.number(mark)} now)"


def _what(each: Decision, whole: Syllabus) -> str:
    """Return a decision in a line: "a1  m04.2  adjust 2 of 5: half of it is right"."""
    who = one_line(each.student, 100) or "everybody"
    where = each.task or each.milestone[:3]
    value = each.value if each.value not in ("yes", "") else ""
    if each.kind == decisions.ADJUST and each.task and value:
        points = [task.points for milestone in whole.milestones for task in milestone.tasks if task.id == each.task]
        value += f" of {words.number(points[0])}" if points else ""
    what = (
        f"{each.kind.replace('_', ' ')} {value}".strip() if each.value else f"{each.kind.replace('_', ' ')} taken back"
    )
    reason = f": {one_line(each.reason, 200)}" if each.reason else ""
    return "  ".join(part for part in (who, where, what) if part) + reason
