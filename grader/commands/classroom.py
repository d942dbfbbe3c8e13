"""`python -m grader classroom`: take a class in, grade what has no result yet, keep it in the gradebook, show it."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from grader import course as courses
from grader import own_rooms, syllabus
from grader.arguments import circumstances, count, course_of
from grader.classroom.book import standing_json, student_records
from grader.classroom.book.changes import changes
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.decisions import DRAFTS, Decision, decide
from grader.classroom.book.gradebook import Gradebook, GradebookError
from grader.classroom.book.lock import LockError, RunLock
from grader.classroom.book.standing import Student
from grader.classroom.grading.batch import Batch, stubs_of
from grader.classroom.grading.cluster import ClusterError, grade_on_cluster
from grader.classroom.grading.due import several, told
from grader.classroom.grading.judging import Setup
from grader.classroom.grading.local import grade_here
from grader.classroom.intake.collecting import Collected, CollectingError, collect_class
from grader.classroom.intake.groups import with_groups
from grader.classroom.intake.roster import Roster, RosterError, load_roster
from grader.classroom.intake.who_is_who import WhoIsWho
from grader.classroom.intake.who_is_who import load as load_who_is_who
from grader.commands import report_paths
from grader.commands.grade import select
from grader.exits import FAULT, INTERRUPTED, NOT_PASSED, PASSED, USAGE
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import grader_version, judging_version
from grader.practice import Station, check_device

WHOSE = (
    "Whose something is can be said by a folder's name, if it is the id; by a roster that has the platform's own "
    "ids and numbers, as Canvas's gradebook has; or in a file, submission,student or Moodle's grading worksheet, with "
    "--whose. Until then whoever it may be from has no mark."
)


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument(
        "submissions",
        nargs="*",
        metavar="SUBMISSIONS",
        help="folders, zip or tar archives, a platform's download, a list of repositories and commits",
    )
    command.add_argument(
        "--export", action="append", default=[], metavar="PATH",
        help="an LMS's export or an archive of the class, which is believed when it says who handed in what",
    )  # fmt: skip
    command.add_argument(
        "--allow-local",
        action="store_true",
        help="lists may name paths on this machine and ssh addresses, not just https",
    )
    command.add_argument(
        "--roster", metavar="CSV", help="who belongs to the class: columns id, name, email, or as a platform exports it"
    )
    command.add_argument("--groups", metavar="CSV", help="who is in which group: columns group, student")
    command.add_argument(
        "--whose", metavar="CSV",
        help="whose something is where its name does not say: columns submission, student; or Moodle's worksheet",
    )  # fmt: skip
    command.add_argument(
        "--gradebook", default="gradebook.sqlite", metavar="FILE", help="where the results are kept (%(default)s)"
    )
    command.add_argument("--course", metavar="FILE", help="milestones, points, due dates and lateness, as TOML")
    command.add_argument("--student", action="append", default=[], metavar="ID", help="only this student (repeatable)")
    command.add_argument(
        "--milestone", action="append", default=[], metavar="MILESTONE", help="only this milestone (repeatable)"
    )
    command.add_argument("--since", type=_moment, metavar="WHEN", help="leave out what was handed in before")
    command.add_argument("--regrade", action="store_true", help="grade anew what has its result already")
    command.add_argument(
        "--held", action="store_true",
        help="take nothing in: grade what the gradebook holds of everybody, after a suite was mended for one",
    )  # fmt: skip
    command.add_argument(
        "--take-earlier", action="store_true",
        help="let what is named here count also where the gradebook has something that came in later",
    )  # fmt: skip
    command.add_argument(
        "--changes", action="store_true", help="grade nothing; show whose points the last change of the grader changed"
    )
    command.add_argument("--json", metavar="FILE", help="write where the class stands")
    where = command.add_mutually_exclusive_group()
    where.add_argument("--workers", type=count, default=1, metavar="N", help="processes on this machine (1)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster that runs already: tcp://host:8786")
    command.add_argument(
        "--official", action="store_true", help="results that count: bubblewrap or refusal, and a secret seed"
    )
    circumstances(command)
    command.set_defaults(debug=False)


def _moment(text: str) -> datetime:
    """Read a date or a date with a time, ISO 8601; without an offset it is this machine's local time."""
    try:
        found = datetime.fromisoformat(text)
        return found if found.utcoffset() is not None else found.astimezone()
    except (ValueError, OverflowError, OSError):  # the ends of the calendar have no local time
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date like 2026-10-12, and no time like 2026-10-12T23:59:00+02:00"
        ) from None


def run(options: argparse.Namespace) -> int:
    """Grade a class and return the exit code: 0 all that was handed in is graded, 1 some is not, 3 grader fault."""
    from rich.console import Console

    console = Console()
    try:
        if options.changes:
            return show_changes(options, console)
        if options.held and (options.submissions or options.export):
            raise UsageProblem("--held grades what the gradebook holds, so that nothing is named beside it.")
        if not (options.submissions or options.export or options.held):
            raise UsageProblem("classroom wants what was handed in: folders, archives, or a list of repositories.")
        return _run(options, console)
    except (CollectingError, GradebookError, LockError, RosterError) as error:
        raise UsageProblem(str(error)) from None
    except ClusterError as error:
        print(f"scratchwork: {error} What was graded before is in the gradebook.", file=sys.stderr)
        return FAULT


def show_changes(options: argparse.Namespace, console: Any) -> int:
    """Show whose points the last change of the grader changed; nothing is graded."""
    from grader.reports.terminal import class_table

    with Gradebook.open(options.gradebook) as book:
        class_table.render_changes(changes(book), console)
    return PASSED


def _run(options: argparse.Namespace, console: Any) -> int:
    whole, course = course_of(options)
    chosen = select(course.syllabus(whole) if course else whole, options.milestone)
    report_paths.check_writable([options.json])
    if options.scheduler is None:
        check_device(options.device)
    roster = load_roster(Path(options.roster)) if options.roster else None
    if options.groups:
        if roster is None:
            raise UsageProblem("--groups says who is in which group, and --roster who that is: give both.")
        roster = with_groups(roster, Path(options.groups))
    if options.whose and roster is None:
        raise UsageProblem("--whose says whose something is, and --roster who that is: give both.")
    book = Gradebook.open(options.gradebook, create=not options.held)
    try:
        lock = RunLock(book.path)
        try:
            return _Run(options, console, whole, course, chosen, roster, book).whole_run()
        finally:
            lock.release()
    finally:
        book.close()


class _Run:
    """One run of the command."""

    def __init__(
        self,
        options: argparse.Namespace,
        console: Any,
        whole: syllabus.Syllabus,
        course: courses.Course | None,
        chosen: list[syllabus.Milestone],
        roster: Roster | None,
        book: Gradebook,
    ) -> None:
        self.options, self.console, self.whole, self.course = options, console, whole, course
        self.chosen, self.roster, self.book = chosen, roster, book
        self.started = time.perf_counter()

    def whole_run(self) -> int:
        """Do all of it. Raises what the command turns into one sentence."""
        station = Station(self.options, elsewhere=self.options.scheduler is not None)
        try:
            return self._graded(station)
        finally:
            station.close()

    def _graded(self, station: Station) -> int:
        from grader.reports.terminal.class_live import ClassProgress

        options = self.options
        self._refuse_practice(station.official)
        if station.workers is not None:
            station.boot()  # in the background, while submissions are read
        progress = ClassProgress(self.console)
        collected = Collected() if options.held else self._collected(progress)
        if self.roster is not None:
            self.book.enrol(self.roster.students)
        if self.course is not None:  # so that an export without the course's file gives no draft away
            says = "yes" if self.course.drafts else ""
            decide(self.book, "course", [Decision(DRAFTS, says)])
        batch = self._plan(station, collected)
        if batch.left:
            station.prepare()
            if station.workers is not None:
                station.start()
            if batch.setup.isolation != self._level(station):  # it fell: what counts at another level is another thing
                batch = self._plan(station, collected)
        for note in station.notes:
            progress.note(note)
        try:
            self._work(batch, station, progress)
        except KeyboardInterrupt:
            progress.stop()
            self.console.print(
                "scratchwork: interrupted; what was graded so far is in the gradebook, and the same command goes on.",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip
            return INTERRUPTED
        finally:
            progress.stop()
        self.book.end_run(batch.run)
        return self._report(batch, collected)

    def _collected(self, progress: Any) -> Collected:
        options = self.options
        return collect_class(
            options.submissions, self.whole, self.roster, exports=options.export, book=self.book.students(),
            allow_local=options.allow_local, since=options.since, students=set(options.student) or None,
            stubs=stubs_of(self.whole), whose=self._whose(), tell=progress.note,
        )  # fmt: skip

    def _whose(self) -> WhoIsWho:
        return (
            load_who_is_who(Path(self.options.whose), self.roster) if self.options.whose and self.roster else WhoIsWho()
        )

    def _held(self) -> list[Student]:
        """Return whose modules the gradebook holds, or those of them that --student names. Raises UsageProblem."""
        if not self.book.rows("SELECT 1 FROM module LIMIT 1"):
            raise UsageProblem("The gradebook holds no sources yet; name the submissions once, which keeps them.")
        everybody = self.book.students()
        if unknown := set(self.options.student) - {student.id for student in everybody}:
            raise UsageProblem(student_records.unknown(min(unknown), [student.id for student in everybody]))
        return [one for one in everybody if not self.options.student or one.id in self.options.student]

    def _plan(self, station: Station, collected: Collected) -> Batch:
        """Enter what was handed in, and find what of it is due."""
        options = self.options
        rooms = own_rooms.packed(self.whole)
        setup = Setup(
            grader_version(rooms), self._level(station), options.device, options.weights, options.prerequisites,
            station.official, station.seed, station.secret, rooms, options.weights_llama,
        )  # fmt: skip
        run = self.book.begin_run(
            judging_version(rooms), setup.conditions(), official=station.official, isolation=setup.isolation
        )
        batch = Batch(
            self.book, run, setup, self.whole, self.chosen, regrade=options.regrade, take_earlier=options.take_earlier
        )
        with self.book.transaction():
            for student in self._held() if options.held else []:
                batch.add_held(student)
            batch.add_all(collected)
        return batch

    def _work(self, batch: Batch, station: Station, progress: Any) -> None:
        left = Counter(due.key.milestone for due in batch.left)
        batch.entered = lambda milestones: progress.job_ended(milestones, 0.0)
        progress.start(left, batch.tally.kept, self.book.mean_seconds())
        if not left:
            return
        if self.options.workers == 1 and self.options.scheduler is None:
            grade_here(batch, station, progress)
            return
        station.close()  # each worker has its own sandbox
        grade_on_cluster(batch, self.options.workers, self.options.scheduler, progress)

    def _level(self, station: Station) -> str:
        """Return the isolation level of the whole batch: on a cluster `auto` is the strongest, and no worker falls."""
        if station.workers is not None:
            return str(station.workers.level)
        asked = self.options.isolation
        return "bubblewrap" if asked == "auto" else asked

    def _refuse_practice(self, official: bool) -> None:
        """Keep practice results from taking the place of official ones."""
        kept = self.book.rows("SELECT COUNT(*) FROM run WHERE official")[0][0]
        if kept and not official:
            raise UsageProblem(
                f"The gradebook {self.book.path} holds official results, which a practice run would replace; "
                "grade with --official, or into another --gradebook."
            )

    def _report(self, batch: Batch, collected: Collected) -> int:
        from grader.reports.marks.counting import counting
        from grader.reports.terminal import class_table
        from grader.reports.terminal.class_live import duration
        from grader.reports.text_file import ReportError, write_text_report

        result = class_result(self.book, self.whole, self.course)
        wanted = [milestone.id for milestone in self.chosen]
        class_table.render(result, self.console, chosen=wanted if self.options.milestone else None)
        tally = batch.tally
        problems = [*tally.problems, *collected.unclear]
        what_to_do = [WHOSE] if collected.unclear else []
        class_table.say(self.console, "Could not be graded", [*problems, *what_to_do])
        class_table.say(self.console, "Not graded; the next run tries again", tally.ungraded)
        nothing, elsewhere = self._missing(collected)
        class_table.say(self.console, "Nothing handed in", nothing)
        for title, sentences in counting(result).items():
            class_table.say(self.console, title, sentences)
        notes = [*collected.notes, *elsewhere, *told(batch.tally, collected), *result.notes]
        class_table.say(self.console, "Notes", notes)
        found = changes(self.book)
        if any(change.run == batch.run for change in found):
            class_table.render_changes(found, self.console)
        spent = duration(time.perf_counter() - self.started)
        kept = f", {tally.kept} had their result already" if tally.kept else ""
        self.console.print(
            f"{_milestones(tally.graded)} graded in {spent}{kept}; the results are in {self.book.path}.",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
        code = FAULT if tally.faults else NOT_PASSED if problems or tally.ungraded else PASSED
        if self.options.json:
            try:
                write_text_report(self.options.json, standing_json.render(result))
            except ReportError as error:
                self.console.print(f"scratchwork: {error}", highlight=False, markup=False)
                code = max(code, USAGE)
        return code

    def _missing(self, collected: Collected) -> tuple[list[str], list[str]]:
        """Return who has never handed in anything, and in one sentence who is only not in this collection."""
        known = {student for (student,) in self.book.rows("SELECT DISTINCT student FROM handin")}
        nothing = [_named(one) for one in collected.missing if one.id not in known]
        others = [one.name or one.id for one in collected.missing if one.id in known]
        if not others:
            return nothing, []
        many = "1 student is" if len(others) == 1 else f"{len(others)} students are"
        return nothing, [f"{many} not in this collection, and what the gradebook has stays: {several(others)}."]


def _milestones(count: int) -> str:
    return "1 milestone" if count == 1 else f"{count} milestones"


def _named(student: Any) -> str:
    return f"{student.name} ({student.id})" if student.name and student.name != student.id else student.id
