"""`python -m grader marks`: what an instructor decides after grading, kept in the gradebook with author and reason."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from grader import when
from grader.arguments import course_of
from grader.classroom.book import decisions, student_records
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.decisions import Decision
from grader.classroom.book.erasing import erase
from grader.classroom.book.gradebook import Gradebook, GradebookError
from grader.classroom.book.lock import LockError, RunLock
from grader.classroom.book.standing import Student
from grader.commands import marks_bounds, marks_shown
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.reports.marks.sheets import SheetError, read_sheet
from grader.safe_text import one_line
from grader.syllabus import Syllabus, SyllabusError


@dataclass(frozen=True)
class Action:
    """One thing that can be decided."""

    says: str  # its line in the help
    takes: tuple[str, ...]  # the columns of its CSV file, which are its options as well
    needs: tuple[str, ...] = ()  # those that may not be empty


ACTIONS = {
    "adjust": Action(
        "change a mark of a student, by milestone or by task", ("student", "milestone", "task", "points", "reason"),
        ("student", "points", "reason"),
    ),
    "excuse": Action("give no mark, and leave it out of the total", ("student", "milestone", "reason"), ("student",)),
    "extend": Action(
        "give more time, or late days", ("student", "milestone", "until", "days", "late_days", "reason")
    ),
    "exclude": Action("let a task count for nobody", ("task", "reason"), ("task",)),
    "weigh": Action("say what a full milestone adds to the total", ("milestone", "weight", "reason"), ("milestone",)),
    "release": Action("let marks and feedback be drafts no longer", ("student", "milestone", "reason")),
    "request": Action(
        "take requests for another look, or close them; alone, show those that are open",
        ("student", "milestone", "task", "reason"), ("student",),
    ),
    "erase": Action("take students out of the gradebook, with all that is theirs", ("student",), ("student",)),
    "history": Action("show what was decided, by whom and why", ("student",)),
}  # fmt: skip
HELP = {
    "student": ("ID", "whose (as in the gradebook)"),
    "milestone": ("M", "which milestone, or all"),
    "task": ("TASK", "which task, like m04.2"),
    "points": ("POINTS", "12 sets them, +2 and -1.5 change them; of a task in the syllabus's points"),
    "reason": ("TEXT", "why; students read it in their feedback"),
    "until": ("WHEN", "when it is due for this student: 2026-10-12 (the end of it) or 2026-10-12T23:59:00+02:00"),
    "days": ("N", "so many days later"),
    "late_days": ("N", "how many late days this student has for the whole course"),
    "weight": ("POINTS", "what full points are worth in the total"),
}


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(command))
    for name, action in ACTIONS.items():
        one = actions.add_parser(name, help=action.says, description=action.says.capitalize() + ".")
        one.add_argument("gradebook", metavar="GRADEBOOK")
        for column in action.takes:
            metavar, says = HELP[column]
            one.add_argument(f"--{column.replace('_', '-')}", dest=column, metavar=metavar, help=says)
        if name != "history":
            one.add_argument(
                "--from", dest="table", metavar="CSV", help=f"many at once: columns {', '.join(action.takes)}"
            )
            one.add_argument("--author", metavar="NAME", help="who decides (default: the user of this system)")
        if name not in ("history", "erase"):
            one.add_argument("--take-back", action="store_true", help="let it hold no longer; the history keeps it")
        one.add_argument("--course", metavar="FILE", help="the course's TOML file, where it brings milestones")
        if name == "adjust":
            one.add_argument("--bonus", action="store_true", help="let a mark be above what can be earned")
        if name == "request":
            one.add_argument("--close", action="store_true", help="the other look was had; the reason is the answer")


def run(options: argparse.Namespace) -> int:
    """Take in what was decided, all of it or nothing; return the exit code."""
    try:
        whole, course = course_of(options)
        with Gradebook.open(options.gradebook) as book:
            known = {student.id: student for student in book.students()}
            if options.action == "history":
                marks_shown.history(decisions.history(book), _one_of(options.student, known), whole)
                return PASSED
            rows = _rows(options)
            if not rows and options.action == "request":
                marks_shown.requests(book, whole, course)
                return PASSED
            if not rows:
                raise UsageProblem(f"marks {options.action} wants to know what: {_choices(options.action)}.")
            author = options.author or _user()
            if options.action == "erase":
                return _erase(book, [known[_known(row["student"], known, where)] for where, row in rows], author)
            read = _Reading(options, whole, known, course.time_zone if course else None)
            made = [read.decision(where, row) for where, row in rows]
            if options.action == "adjust" and not options.take_back:
                before = class_result(book, whole, course)
                for (where, _), each in zip(rows, made, strict=True):
                    marks_bounds.check(where, each, before, whole, options.bonus)
            with book.transaction():  # what makes the class unreadable, such as a milestone without tasks, is not kept
                added = decisions.decide(book, one_line(author, 100), made)
                result = class_result(book, whole, course)
            marks_shown.decided(made, added, known, result, book, whole)
            if read.took_for_granted:
                print(f"Times without an offset were read in {when.zone_said(read.zone)}.")
    except (GradebookError, LockError, SheetError) as error:
        raise UsageProblem(str(error)) from None
    return PASSED


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise UsageProblem("This system has no name for its user; say with --author who decides.") from None


def _erase(book: Gradebook, students: list[Student], author: str) -> int:
    lock = RunLock(book.path)
    try:
        erase(book, students, one_line(author, 100))
    finally:
        lock.release()
    marks_shown.erased(students, book)
    return PASSED


def _choices(action: str) -> str:
    takes = ", ".join(f"--{column.replace('_', '-')}" for column in ACTIONS[action].takes)
    return f"{takes}, or many at once with --from CSV"


def _rows(options: argparse.Namespace) -> list[tuple[str, dict[str, str]]]:
    """Return what is decided: where each stands, for sentences about it, and its cells. Raises UsageProblem."""
    action = ACTIONS[options.action]
    given = {column: getattr(options, column) for column in action.takes}
    typed = {column: text.strip() for column, text in given.items() if text is not None}
    if options.table is None:
        return [("", {column: typed.get(column, "") for column in action.takes})] if typed else []
    if typed:
        raise UsageProblem("--from names a table, so that nothing else is said beside it.")
    sheet = read_sheet(options.table)
    header = [name.strip().casefold().replace(" ", "_") for name in sheet.header]
    if unknown := [name for name in header if name not in action.takes]:
        raise UsageProblem(
            f"{options.table} has a column {one_line(unknown[0], 80)!r}; marks {options.action} takes "
            f"{', '.join(action.takes)}."
        )
    if lacking := [name for name in action.needs if name not in header]:
        raise UsageProblem(f"{options.table} has no column {lacking[0]!r}, which marks {options.action} needs.")
    found = []
    for number, row in enumerate(sheet.rows, start=2):
        cells = dict(zip(header, (one_line(cell, 1000).strip() for cell in row), strict=True))
        if any(cells.values()):
            found.append((f"{options.table}, row {number}: ", {name: cells.get(name, "") for name in action.takes}))
    return found


def _one_of(name: str | None, known: dict[str, Student]) -> str | None:
    return None if name is None else _known(name, known, "")


def _known(name: str, known: dict[str, Student], where: str) -> str:
    """Return the id of a student in the gradebook. Raises UsageProblem for anybody else."""
    if name in known:
        return name
    alike = [student for student in known if student.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    raise UsageProblem(where + student_records.unknown(name, known))


class _Reading:
    """Turns rows into decisions."""

    def __init__(
        self, options: argparse.Namespace, whole: Syllabus, known: dict[str, Student], zone: tzinfo | None
    ) -> None:
        self._options, self._whole, self._known, self.zone = options, whole, known, zone
        self.took_for_granted = False  # whether a time had no offset

    def decision(self, where: str, row: dict[str, str]) -> Decision:
        """Return what a row decides. Raises UsageProblem, with where it stands."""
        action = self._options.action
        for name in ACTIONS[action].needs:
            if not row[name] and not (self._options.take_back and name in ("points", "reason")):
                raise UsageProblem(f"{where}marks {action} wants --{name.replace('_', '-')}.")
        milestone, task = self._place(where, row)
        student = row.get("student", "")
        if student:
            student = self._student(where, student)
        kind, value = KINDS[action](self, where, row)
        if action in ("adjust", "request", "weigh") and not milestone:
            raise UsageProblem(f"{where}marks {action} is about one milestone or task: --milestone or --task.")
        if self._options.take_back:
            value = ""
        return Decision(kind, value, student, milestone, task, row.get("reason", ""))

    def _student(self, where: str, name: str) -> str:
        if self._options.action == "extend" and name not in self._known:
            return next((one for one in self._known if one.casefold() == name.casefold()), name)
        return _known(name, self._known, where)

    def _place(self, where: str, row: dict[str, str]) -> tuple[str, str]:
        named, task = row.get("milestone", ""), row.get("task", "")
        if named == "all" or not (named or task):
            return "", task
        try:
            milestone = self._whole.milestone(named or task.partition(".")[0])
        except SyllabusError as error:
            raise UsageProblem(f"{where}{error}") from None
        if task and task not in {each.id for each in milestone.tasks}:
            tasks = ", ".join(each.id for each in milestone.tasks)
            raise UsageProblem(f"{where}there is no task {task!r} in {milestone.id}; it has {tasks}.")
        return milestone.id, task

    def points(self, where: str, row: dict[str, str]) -> tuple[str, str]:
        """Return an adjustment's kind and value."""
        return decisions.ADJUST, "" if self._options.take_back else self._number(where, "points", row["points"])

    def more_time(self, where: str, row: dict[str, str]) -> tuple[str, str]:
        """Return an extension's kind and value."""
        given = [name for name in ("until", "days", "late_days") if row[name]]
        if self._options.take_back and not given:
            return decisions.EXTEND, ""
        if len(given) != 1:
            raise UsageProblem(f"{where}marks extend wants one of --until, --days and --late-days.")
        (name,) = given
        if name == "until":
            return decisions.EXTEND, self._moment(where, row["until"])
        if not row[name].isdecimal() or int(row[name]) > 1000:
            raise UsageProblem(f"{where}{row[name]!r} is no number of days up to 1,000.")
        if name == "days":
            return decisions.EXTEND, f"+{int(row['days'])}"
        if not row["student"] or row["milestone"]:
            raise UsageProblem(f"{where}--late-days belong to one student, and to no milestone.")
        return decisions.LATE_DAYS, str(int(row["late_days"]))

    def weight(self, where: str, row: dict[str, str]) -> tuple[str, str]:
        """Return a weight's kind and value."""
        if self._options.take_back:
            return decisions.WEIGHT, ""
        value = self._number(where, "weight", row["weight"])
        if float(value) <= 0 or value[0] in "+-":
            raise UsageProblem(f"{where}a weight is a number of points above 0, and {value!r} is not.")
        return decisions.WEIGHT, value

    def request(self, where: str, row: dict[str, str]) -> tuple[str, str]:
        """Return a request's kind and value."""
        return decisions.REQUEST, decisions.CLOSED if self._options.close else decisions.OPEN

    def _number(self, where: str, name: str, text: str) -> str:
        if not decisions.POINTS.fullmatch(text):
            raise UsageProblem(f"{where}{one_line(text, 40)!r} is no {name} like 12, +2 or -1.5.")
        return text

    def _moment(self, where: str, text: str) -> str:
        try:
            found, itself = when.read(text, self.zone)
        except ValueError as error:
            raise UsageProblem(f"{where}{one_line(text, 40)!r} {error}.") from None
        self.took_for_granted |= not itself
        return found.isoformat()


def _plain(kind: str) -> Callable[[Any, str, dict[str, str]], tuple[str, str]]:
    return lambda reading, where, row: (kind, "yes")


KINDS: dict[str, Callable[[Any, str, dict[str, str]], tuple[str, str]]] = {
    "adjust": _Reading.points,
    "excuse": _plain(decisions.EXCUSE),
    "extend": _Reading.more_time,
    "exclude": _plain(decisions.EXCLUDE),
    "weigh": _Reading.weight,
    "release": _plain(decisions.RELEASE),
    "request": _Reading.request,
}
