"""A batch: what of a class is still to be graded, in which jobs, and into the gradebook with each that is done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from grader import record
from grader.classroom.book import doubts
from grader.classroom.book.gradebook import Gradebook, Key
from grader.classroom.book.modules import Module, Modules
from grader.classroom.book.standing import Student
from grader.classroom.intake.collecting import Collected, HandedIn
from grader.classroom.intake.merging import is_stub
from grader.judge.errors import UsageProblem
from grader.judge.fingerprint import judging_version
from grader.submission import Submission, SubmissionError, with_own_solutions, with_own_stubs
from grader.syllabus import Milestone, Syllabus

from .due import Due, Tally, grouped
from .judging import Graded, Job, Setup

REPOSITORY = Path(__file__).resolve().parents[3]
STANDING = """
    SELECT standing.milestone, result.sources, result.conditions
    FROM standing JOIN result ON result.id = standing.result
    WHERE standing.id IN (SELECT MAX(id) FROM standing WHERE student = ? AND result IS NOT NULL GROUP BY milestone)
"""


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
        take_earlier: bool = False,
    ) -> None:
        self.book, self.run, self.setup, self.course, self.chosen = book, run, setup, course, chosen
        self.tally = Tally()
        self.entered: Callable[[tuple[str, ...]], None] = lambda milestones: None  # told of results without a job
        self._regrade, self._take_earlier = regrade, take_earlier
        self._conditions, self._grader = setup.conditions(), judging_version(setup.rooms)
        self._solutions = _solutions(course) if setup.prerequisites == "solutions" else None
        self._stubs = stubs_of(course)
        self._wanted = {name for milestone in chosen for name in course.with_uses(milestone)}
        self._jobs: dict[int, list[Due]] = {}
        self._untouched: dict[tuple[str, ...], dict[str, Any]] = {}  # results of stubs: the same for everybody

    # ── what there is to do ───────────────────────────────────────────────────────────────────────────────────────

    def add_all(self, collected: Collected) -> None:
        """Enter what was collected: submissions, and what is not clear."""
        for handed in collected.handed_in:
            self.add(handed)
        dismissed = [each for origin in collected.nobodys for each in doubts.nobodys(self.book, origin)]
        doubts.enter(self.book, self.run, [*collected.doubts, *dismissed])

    def add(self, handed: HandedIn) -> None:
        """Enter one student's submission: what has a result in the book counts again, the rest is due.

        What was not handed in this time is as it was: a milestone keeps its result, and one that is made of another
        stands on the student's latest. It is graded again when that is a newer one.
        """
        handin = self.book.hand_in(
            self.run, handed.student, origin=handed.origin, handed_in=handed.handed_in,
            problem=handed.problem, notes=handed.notes,
        )  # fmt: skip
        if problems := [each for each in (handed.problem, *handed.troubles) if each]:
            self.tally.problems += [f"{handed.student.id}: {each}" for each in problems]
        if not handed.problem:
            modules = Modules(self.book, handed.student.id)
            self._settle(handed.student, handin, modules, self._take_in(handed, handin, modules))

    def add_held(self, student: Student) -> None:
        """Let everything be graded that the book has of a student, as if it were handed in again."""
        modules = Modules(self.book, student.id)
        if modules.latest:
            handin = self.book.rows("SELECT MAX(id) FROM handin WHERE student = ?", (student.id,))[0][0]
            self._settle(student, handin, modules, set(modules.latest))

    def _take_in(self, handed: HandedIn, handin: int, modules: Modules) -> set[str]:
        """Enter the modules of a hand-in, and return those that count from now on."""
        given, taken, kept = handed.submission, set(), {}
        for name in handed.modules:
            source, (origin, time) = given.sources.get(name), handed.piece(name)
            new = Module(name, source, "" if source is not None else given.problems[name], origin, time, time)
            old = modules.latest.get(name)
            if old and self._is_stub(name, source) and not self._is_stub(name, old.source):
                kept[name] = f"an untouched {name[:3]} takes the place of no work"
            elif not self._take_earlier and (why := modules.outdates(new)):
                kept[name] = f"{name[:3]} {why}"
            else:
                modules.enter(self.run, handin, new)
                taken.add(name)
        if not (taken | set(kept)) & self._wanted:
            self.tally.notes.append(f"{handed.student.id}: {handed.origin} has nothing of what is graded here.")
        if kept:
            why = "; ".join(kept.values())
            self.tally.notes.append(f"{handed.student.id}: what the gradebook has goes on counting: {why}.")
        return taken

    def _settle(self, student: Student, handin: int, modules: Modules, taken: set[str]) -> None:
        """Let everything count that has its result in the book, and make the rest a job."""
        submission = self._submission(modules, student)
        standing = {name: under for name, *under in self.book.rows(STANDING, (student.id,))}
        due = []
        for milestone in self.chosen:
            if milestone.id not in modules.latest or self._lacks(student, milestone, modules, taken, standing):
                continue
            one = self._due(student, handin, milestone, submission, modules, taken)
            if milestone.id not in taken and self._stands(milestone, one.key, standing.get(milestone.id), taken):
                continue
            result = None if self._regrade and milestone.id in taken else self.book.find(one.key)
            if milestone.id not in taken and milestone.id in standing:
                self.tally.again.setdefault(milestone.id, []).append(student.name or student.id)
            if one.borrowed and milestone.id in taken:
                self.tally.borrowers.setdefault((milestone.id, one.borrowed), []).append(student.name or student.id)
            if result is None:
                due.append(one)
            else:
                self.book.settle(self.run, handin, one.key, result, one.handed_in)
                self.tally.kept += 1
        for group in grouped(due):
            self._jobs[len(self._jobs)] = group

    def _stands(self, milestone: Milestone, key: Key, standing: list[str] | None, taken: set[str]) -> bool:
        """Tell whether the result of a milestone that was not named is still that of what it is made of.

        It may have been graded under other conditions, which no later run changes for what it does not name.
        """
        if standing is None:
            return False
        sources, conditions = standing
        beside = set(self.course.with_uses(milestone))
        newer = conditions == self._conditions or (self._solutions is None and bool(beside & taken))
        return sources == key.sources or not newer

    def _submission(self, modules: Modules, student: Student) -> Submission:
        """Return what a student has handed in so far."""
        whole = Submission(student.id)
        for name in (milestone.id for milestone in self.course.milestones):
            module = modules.latest.get(name)
            if module is not None and module.source is not None:
                whole.sources[name] = module.source
            else:
                whole.problems[name] = module.problem if module else f"{name}.py was not handed in."
        return whole

    def _lacks(
        self, student: Student, milestone: Milestone, modules: Modules, taken: set[str], standing: dict[str, list[str]]
    ) -> bool:
        """Tell whether something was never handed in that a milestone is made of, and say so of what is new."""
        if self._solutions is not None:
            return False
        lacking = [name for name in self.course.with_needs(milestone) if name not in modules.latest]
        if lacking and milestone.id in taken and not self._is_stub(milestone.id, modules.latest[milestone.id].source):
            needs = ", ".join(name[:3] for name in lacking)
            why = "which was never handed in; it is graded as soon as it is, or with --prerequisites solutions."
            if all(name in standing for name in lacking):  # by an earlier version, which kept marks and no sources
                why = "whose source the gradebook does not have yet; name that hand-in once more."
            self.tally.problems.append(f"{student.id}: {milestone.number} is made of {needs}, {why}")
        return bool(lacking)

    def _due(
        self, student: Student, handin: int, milestone: Milestone, submission: Submission, modules: Modules,
        taken: set[str],
    ) -> Due:  # fmt: skip
        needs = self.course.with_needs(milestone)
        if self._solutions is not None:
            submission = submission.replaced(needs[:-1], self._solutions)
        problems = "\n".join(submission.problems[name] for name in needs if name in submission.problems)
        key = Key(
            student.id, milestone.id, submission.digest(self.course.with_uses(milestone)),
            hashlib.sha256(problems.encode()).hexdigest() if problems else "", self._grader, self._conditions,
        )  # fmt: skip
        cheap = bool(problems) or self._is_stub(milestone.id, submission.sources.get(milestone.id))
        own = needs[:-1] if self._solutions is None else []
        borrowed = () if cheap else tuple(name for name in own if name not in taken)
        return Due(student, handin, key, submission, cheap, modules.latest[milestone.id].first, borrowed)

    def _is_stub(self, module: str, source: bytes | None) -> bool:
        return is_stub(source, self._stubs.get(module))

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
        if due.borrowed:
            modules = ", ".join(f"{name}.py" for name in due.borrowed)
            note = f"It stands on the latest {modules} that was handed in, at another time than this module."
            plain = plain | {"notes": [*plain["notes"], note]}
        self.book.store(self.run, due.handin, due.key, plain, seconds, due.handed_in)
        self.tally.graded += 1

    def _fail(self, due: Due, fault: str) -> None:
        self.tally.faults += 1
        self._leave(due, fault)

    def _leave(self, due: Due, reason: str) -> None:
        self.book.fail(self.run, due.handin, due.key, reason)
        self.tally.ungraded.append(f"{due.student.id}: {reason}")


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


def stubs_of(course: Syllabus) -> dict[str, bytes]:
    """Return what students start from, by module; nothing in a grader without the course beside it."""
    try:
        return with_own_stubs(REPOSITORY / "exercises", course).sources
    except SubmissionError:
        return {}
