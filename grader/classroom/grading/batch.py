"""A batch: what of a class is still to be graded, in which jobs, and into the gradebook with each that is done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import record
from grader.classroom.book.gradebook import Gradebook, Key
from grader.classroom.book.standing import Student
from grader.classroom.intake.collecting import HandedIn
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import judging_version
from grader.submission import Submission, SubmissionError, with_own_solutions, with_own_stubs
from grader.syllabus import Milestone, Syllabus

from .judging import Graded, Job, Setup

REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Due:
    """A milestone of one student that is to be graded."""

    student: Student
    handin: int
    key: Key
    submission: Submission
    cheap: bool  # nothing of it will be run: an untouched stub, or a file that could not be taken


@dataclass
class Tally:
    """How the batch went."""

    graded: int = 0  # milestones with a new result
    kept: int = 0  # milestones whose result was in the book already
    faults: int = 0  # milestones that the grader failed at
    ungraded: list[str] = field(default_factory=list)  # a sentence for each milestone without a result, faults included
    problems: list[str] = field(default_factory=list)  # a sentence for each hand-in that cannot be graded


class Batch:
    """One run over a class."""

    def __init__(
        self,
        book: Gradebook,
        run: int,
        setup: Setup,
        course: Syllabus,
        chosen: list[Milestone],
        *,
        regrade: bool = False,
    ) -> None:
        self.book, self.run, self.setup, self.course, self.chosen = book, run, setup, course, chosen
        self.tally = Tally()
        self.entered: Callable[[tuple[str, ...]], None] = lambda milestones: None  # told of results without a job
        self._regrade = regrade
        self._conditions, self._grader = setup.conditions(), judging_version(setup.rooms)
        self._solutions = _solutions(course) if setup.prerequisites == "solutions" else None
        self._stubs = _stubs(course)
        self._jobs: dict[int, list[Due]] = {}
        self._untouched: dict[tuple[str, ...], dict[str, Any]] = {}  # results of stubs: the same for everybody

    # ── what there is to do ───────────────────────────────────────────────────────────────────────────────────────

    def add(self, handed: HandedIn) -> None:
        """Enter one student's submission: what has a result in the book counts again, the rest is due."""
        handin = self.book.hand_in(
            self.run, handed.student, origin=handed.origin, handed_in=handed.handed_in,
            problem=handed.problem, notes=handed.notes,
        )  # fmt: skip
        if handed.problem:
            self.tally.problems.append(f"{handed.student.id}: {handed.problem}")
            return
        standing, due = [], []
        for milestone in self.chosen:
            one = self._due(handed, handin, milestone)
            result = None if self._regrade else self.book.find(one.key)
            if result is None:
                due.append(one)
            else:
                standing.append((handin, one.key, result))
        self.book.settle(self.run, standing)
        self.tally.kept += len(standing)
        for group in _grouped(due):
            self._jobs[len(self._jobs)] = group

    def _due(self, handed: HandedIn, handin: int, milestone: Milestone) -> Due:
        submission = handed.submission
        needs = self.course.with_needs(milestone)
        if self._solutions is not None:
            submission = submission.replaced(needs[:-1], self._solutions)
        problems = "\n".join(submission.problems[name] for name in needs if name in submission.problems)
        key = Key(
            handed.student.id, milestone.id, submission.digest(self.course.with_uses(milestone)),
            hashlib.sha256(problems.encode()).hexdigest() if problems else "", self._grader, self._conditions,
        )  # fmt: skip
        source = submission.sources.get(milestone.id)
        return Due(handed.student, handin, key, submission, bool(problems) or source == self._stubs.get(milestone.id))

    def jobs(self) -> Iterator[Job]:
        """Yield what is to be graded; stubs that somebody else left just as untouched are entered on the way."""
        for number in list(self._jobs):
            group = self._jobs[number]
            known = [due for due in group if _shared(due.key) in self._untouched]
            for due in known:
                self._enter(due, self._untouched[_shared(due.key)])
            if known:
                self.entered(tuple(due.key.milestone for due in known))
            rest = [due for due in group if due not in known]
            self._jobs[number] = rest
            if rest:
                yield Job(number, rest[0].submission, tuple(due.key.milestone for due in rest))

    @property
    def left(self) -> list[Due]:
        """What is still due."""
        return [due for group in self._jobs.values() for due in group]

    def names(self, job: Job) -> str:
        """Return whose job this is, for a person."""
        student = self._jobs[job.number][0].student
        return student.name or student.id

    # ── what came of it ───────────────────────────────────────────────────────────────────────────────────────────

    def take(self, graded: Graded) -> None:
        """Enter what became of a job, each milestone in a transaction of its own."""
        due = {one.key.milestone: one for one in self._jobs.pop(graded.number)}
        for plain in graded.milestones:
            try:
                one = due.pop(record.milestone_from_json(plain).id)
            except (ValueError, KeyError):
                continue  # it is none of ours, and the milestone that it should have been has no result
            if plain["sources"] != one.key.sources or graded.grader != self.setup.grader:
                self._fail(one, f"{plain['id'][:3]} was not graded: a worker graded something else than it was given.")
                continue
            if _is_untouched(plain):
                self._untouched[_shared(one.key)] = plain
            self._enter(one, plain)
        for name, one in due.items():
            self._fail(one, graded.faults.get(name, f"{name[:3]} was not graded: its result is missing."))

    def give_up(self, job: Job, reason: str) -> None:
        """Leave a job ungraded, for a reason that is neither the submission's nor the grader's."""
        for due in self._jobs.pop(job.number):
            self._leave(due, f"{due.key.milestone[:3]} was not graded: {reason}.")

    def _enter(self, due: Due, plain: dict[str, Any]) -> None:
        seconds = sum(check["seconds"] for task in plain["tasks"] for check in task["checks"])
        self.book.store(self.run, due.handin, due.key, plain, seconds)
        self.tally.graded += 1

    def _fail(self, due: Due, fault: str) -> None:
        self.tally.faults += 1
        self._leave(due, fault)

    def _leave(self, due: Due, reason: str) -> None:
        self.book.fail(self.run, due.handin, due.key, reason)
        self.tally.ungraded.append(f"{due.student.id}: {reason}")


def _grouped(due: list[Due]) -> list[list[Due]]:
    """Make one job of everything cheap; the rest is a job each, so that little is lost and workers end together."""
    groups = [[one] for one in due if not one.cheap]
    together: dict[int, list[Due]] = {}
    for one in due:
        if one.cheap:
            together.setdefault(id(one.submission), []).append(one)
    return [*groups, *together.values()]


def _shared(key: Key) -> tuple[str, ...]:
    return key.milestone, key.sources, key.problem


def _is_untouched(plain: dict[str, Any]) -> bool:
    """Whether no line of it was run: every check found an untouched stub."""
    outcomes = [check["outcome"] for task in plain["tasks"] for check in task["checks"]]
    return plain["problem"] is None and all(outcome == record.NOT_STARTED for outcome in outcomes)


def _solutions(course: Syllabus) -> Submission:
    try:
        return with_own_solutions(REPOSITORY / "solutions", course)
    except SubmissionError:
        raise UsageProblem(
            "--prerequisites solutions needs the folder solutions/, which this copy of the course lacks."
        ) from None


def _stubs(course: Syllabus) -> dict[str, bytes]:
    try:
        return with_own_stubs(REPOSITORY / "exercises", course).sources
    except SubmissionError:  # a grader without the course beside it
        return {}
