"""Gradebooks that were made up: results of the real course's milestones, without a judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import support

from grader import record
from grader.classroom.book.class_standing import class_result
from grader.classroom.book.gradebook import Gradebook, Key
from grader.classroom.book.modules import Module, Modules
from grader.classroom.book.standing import Student
from grader.classroom.grading.batch import Batch, stubs_of
from grader.classroom.grading.due import Tally
from grader.classroom.grading.judging import Graded, Job, Setup
from grader.classroom.intake.collecting import Collected, collect_class
from grader.classroom.intake.merging import HandedIn
from grader.classroom.intake.roster import Roster
from grader.judge.fingerprint import judging_version
from grader.submission import Submission

COURSE = support.COURSE
PEOPLE = {
    "anna": Student("anna", "Anna Apt", "anna@x.org"),
    "ben": Student("ben", "Ben Bit", "ben@x.org"),
    "cem": Student("cem", "Cem Cue", "cem@x.org"),
}
SETUP = Setup("g1", "bubblewrap", "cpu", "gpt2-nano", "submission", False, "0", False)
CHOSEN = [COURSE.milestone(name) for name in ("m00", "m03", "m04", "m05")]
MISTAKE = "the maximum is not subtracted"


def graded(name: str, *failed: str) -> dict:
    """Return a milestone's result as JSON data: all tasks passed, but those named."""
    milestone = COURSE.milestone(name)
    tasks = []
    for task in milestone.tasks:
        good = task.id not in failed
        check = record.Check(
            f"test_{task.id}", "It works.", record.PASSED if good else record.FAILED, ["value"],
            message="" if good else "Got 0.123, expected 0.456.", mistake=None if good else MISTAKE,
        )  # fmt: skip
        tasks.append(record.Task(task.id, task.title, task.points, task.points if good else 0.0, [check]))
    made = record.Milestone(milestone.id, milestone.title, tasks)
    return record.to_json(record.Record("g1", "x", "0", "cpu", "bubblewrap", milestones=[made]))["milestones"][0]


def hand_in(book: Gradebook, student: str, *results: dict, at: str = "", origin: str = "") -> None:
    """Enter what somebody handed in, with its results; `at` is when."""
    run = book.begin_run("g1", "{}", official=False, isolation="bubblewrap")
    origin = origin or f"subs/{student}"
    number = book.hand_in(run, PEOPLE[student], origin=origin, handed_in=at, problem="", notes=[])
    modules = Modules(book, student)
    for result in results:
        modules.enter(run, number, Module(result["id"], f"# {run}".encode(), "", origin, at, at))
        book.store(run, number, Key(student, result["id"], f"s{run}", "", "g1", "{}"), result, 0.1)
    book.end_run(run)


def make(path: Path) -> Path:
    """Make a book of three: Anna has all of m00 and m04, Ben lacks m00.1, Cem has handed in m00 alone."""
    with Gradebook.open(path, create=True) as book:
        book.enrol(PEOPLE.values())
        hand_in(book, "anna", graded("m00"), graded("m04"), at="2026-03-01T10:00:00+00:00")
        hand_in(book, "ben", graded("m00", "m00.1"), graded("m04"), at="2026-03-04T09:00:00+00:00")
        hand_in(book, "cem", graded("m00"))
    return path


def week(
    book: Gradebook, handed: dict[str, dict[str, bytes]], place: str, at: str = "", *, take_earlier: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Tally:  # fmt: skip
    """Grade what several have handed in, as a run does, with a judge that gives full marks.

    `place` is where it came from, `tell` hears of each result when it is kept.
    """
    run = book.begin_run(judging_version(()), SETUP.conditions(), official=False, isolation="bubblewrap")
    batch = Batch(book, run, SETUP, COURSE, CHOSEN, take_earlier=take_earlier)
    with book.transaction():
        for who, modules in handed.items():
            batch.add(HandedIn(PEOPLE[who], Submission(who, dict(modules)), f"{place}/{who}", at))
    for job in batch.jobs():
        whose = batch.names(job)
        batch.take(Graded(job.number, SETUP.grader, [_full_marks(job, name) for name in job.milestones]))
        tell(f"{whose} {job.milestones[0]} {job.submission.digest([job.milestones[0]])}")
    book.end_run(run)
    return batch.tally


def take_in(book: Gradebook, *sources: Path, roster: Roster | None, **options: Any) -> Collected:
    """Take in and grade what lies somewhere, as a run does, with a judge that gives full marks."""
    collected = collect_class(sources, COURSE, roster, stubs=stubs_of(COURSE), **options)
    if roster is not None:
        book.enrol(roster.students)
    run = book.begin_run(judging_version(()), SETUP.conditions(), official=False, isolation="bubblewrap")
    batch = Batch(book, run, SETUP, COURSE, CHOSEN)
    with book.transaction():
        batch.add_all(collected)
    stubs = stubs_of(COURSE)
    for job in batch.jobs():
        results = [_full_marks(job, name) for name in job.milestones]
        for result in results:
            for task in result["tasks"] if job.submission.sources[result["id"]] == stubs[result["id"]] else ():
                task["earned"], task["checks"][0]["outcome"] = 0.0, record.NOT_STARTED
        batch.take(Graded(job.number, SETUP.grader, results))
    book.end_run(run)
    return collected


def _full_marks(job: Job, name: str) -> dict:
    return graded(name) | {"sources": job.submission.digest(COURSE.with_uses(COURSE.milestone(name)))}


def sources(book: Gradebook, student: str) -> dict[str, bytes | None]:
    """Return which version of each milestone's module the counting result is of."""
    found = {}
    for name, module in Modules(book, student).latest.items():
        standing = next(one for one in class_result(book, COURSE).standings if one.student.id == student)
        if name in standing.milestones:
            found[name[:3]] = module.source
    return found
