"""The numbers of a class report: scores, hard tasks, common mistakes, and who needs help."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from grader.classroom.book.standing import ClassResult, Column, Standing
from grader.record import BLOCKED, CRASHED, NOT_STARTED, OUT_OF_MEMORY, PASSED, TIMED_OUT, Milestone, Task
from grader.reports import words
from grader.reports.findings import passed_checks
from grader.reports.marks.tasks_csv import own, tasks

BINS = 10
_UNTOUCHED = (NOT_STARTED, BLOCKED)
_BROKEN = (CRASHED, TIMED_OUT, OUT_OF_MEMORY)
MOST_EARNED = 0.6  # of those who began: then a task is one at which being stuck is worth a talk
MOST_BEGUN = 0.5

RULE = (
    "Named here is who has handed in a file that could not be graded, or has less than half of the median score, or "
    f"two of these: a milestone not begun that is past its due date or that {MOST_BEGUN:.0%} of the class have begun; "
    f"a failing task that {MOST_EARNED:.0%} of those who began it have earned; code that crashes or runs out of time "
    "or memory. Those with most reasons come first."
)


@dataclass(frozen=True)
class Bin:
    """One bar of the distribution."""

    start: int  # in per cent of all points
    label: str
    count: int
    height: float  # of the bar, in the drawing's units


@dataclass(frozen=True)
class MilestoneFigure:
    """How far the class is with a milestone."""

    column: Column
    begun: int
    full: int
    median: float


@dataclass(frozen=True)
class TaskFigure:
    """How hard a task is."""

    id: str
    title: str
    points: float
    tried: int  # students who began its milestone
    earned: int
    median: float  # share of its checks that pass
    otherwise: str  # the commonest outcome of those who did not earn it

    @property
    def share(self) -> float:
        """Share of those who tried that earned it."""
        return self.earned / self.tried if self.tried else 0.0


@dataclass(frozen=True)
class MistakeFigure:
    """How often a mistake was named."""

    task: str
    title: str
    words: str
    students: int


@dataclass
class Help:
    """Somebody who needs help, and why."""

    standing: Standing
    reasons: list[str] = field(default_factory=list)
    urgent: bool = False  # one reason is enough


@dataclass(frozen=True)
class Figures:
    """All numbers of the report."""

    handed_in: list[Standing]
    missing: list[Standing]
    median: float
    full: int
    bins: list[Bin]
    milestones: list[MilestoneFigure]
    tasks: list[TaskFigure]
    mistakes: list[MistakeFigure]
    help: list[Help]


def figures(result: ClassResult, now: datetime | None = None) -> Figures:
    """Return the numbers of a class; `now` decides which due dates have passed, and without it none has."""
    handed_in = [standing for standing in result.standings if standing.origin or standing.milestones]
    totals = [scaled(result, standing) for standing in handed_in]
    median = statistics.median(totals) if totals else 0.0
    task_figures = [
        _task(task, handed_in) for column in result.columns for task in tasks(result).get(column.milestone, [])
    ]
    task_figures = [figure for figure in task_figures if figure.tried]
    milestones = [_milestone(column, handed_in) for column in result.columns]
    return Figures(
        handed_in=handed_in,
        missing=[standing for standing in result.standings if not _has_anything(standing)],
        median=median,
        full=sum(total >= result.possible > 0 for total in totals),
        bins=_bins(totals, result.possible),
        milestones=milestones,
        tasks=task_figures,
        mistakes=_mistakes(handed_in),
        help=_help(result, handed_in, task_figures, milestones, median, now),
    )


def _has_anything(standing: Standing) -> bool:
    """Say whether something was handed in, were it something that may be theirs."""
    return bool(standing.origin or standing.milestones or standing.waiting)


def scaled(result: ClassResult, standing: Standing) -> float:
    """Return a student's total as it would be out of everybody's points: who is excused from some has lost nothing."""
    possible = result.possible_for(standing)
    return result.total(standing) * (result.possible / possible if possible else 1.0)


def begun(milestone: Milestone | None) -> bool:
    """Say whether anything of a milestone was tried: a check that ran, or a file that could not be graded."""
    if milestone is None:
        return False
    return milestone.problem is not None or any(
        check.outcome not in _UNTOUCHED for task in milestone.tasks for check in task.checks
    )


def _bins(totals: list[float], possible: float) -> list[Bin]:
    counts = [0] * BINS
    for total in totals:
        share = total / possible if possible else 0.0
        counts[min(BINS - 1, max(0, int(share * BINS + 1e-9)))] += 1
    tallest = max([*counts, 1])
    step = 100 // BINS
    return [
        Bin(step * place, f"{step * place}–{step * (place + 1)}", count, round(145 * count / tallest, 1))
        for place, count in enumerate(counts)
    ]


def _milestone(column: Column, handed_in: list[Standing]) -> MilestoneFigure:
    marks = [standing.mark(column.milestone) for standing in handed_in]
    scores = [mark for mark in marks if mark is not None]
    return MilestoneFigure(
        column,
        begun=sum(begun(standing.milestones.get(column.milestone)) for standing in handed_in),
        full=sum(standing.raw(column.milestone) >= column.possible - 1e-9 > 0 for standing in handed_in),
        median=statistics.median(scores) if scores else 0.0,
    )


def _task(task: Task, handed_in: list[Standing]) -> TaskFigure:
    found = [
        mine
        for standing in handed_in
        for milestone in standing.milestones.values()
        if begun(milestone)
        for mine in milestone.tasks
        if mine.id == task.id
    ]
    shares = [passed_checks(mine) / len(mine.checks) for mine in found if mine.checks]
    others = Counter(words.OUTCOME[mine.outcome] for mine in found if mine.outcome != PASSED)
    return TaskFigure(
        task.id,
        task.title,
        task.points,
        tried=len(found),
        earned=sum(mine.outcome == PASSED for mine in found),
        median=statistics.median(shares) if shares else 0.0,
        otherwise=others.most_common(1)[0][0] if others else "",
    )


def _mistakes(handed_in: list[Standing]) -> list[MistakeFigure]:
    named: Counter[tuple[str, str, str]] = Counter()
    for standing in handed_in:
        named.update(
            {
                (task.id, task.title, check.mistake)
                for milestone in standing.milestones.values()
                for task in milestone.tasks
                for check in task.checks
                if check.mistake and check.outcome != PASSED
            }
        )
    ordered = sorted(named.items(), key=lambda item: (-item[1], item[0]))
    return [MistakeFigure(task, title, mistake, count) for (task, title, mistake), count in ordered]


def _help(
    result: ClassResult,
    handed_in: list[Standing],
    tasks: list[TaskFigure],
    milestones: list[MilestoneFigure],
    median: float,
    now: datetime | None,
) -> list[Help]:
    people = []
    for standing in handed_in:
        person = Help(standing)
        _look_at_files(person)
        _look_at_begun(person, milestones, len(handed_in), now)
        _look_at_tasks(person, tasks)
        if scaled(result, standing) < median / 2:
            person.reasons.append(f"Has less than half of the median score, which is {words.number(median)}.")
            person.urgent = True
        if person.urgent or len(person.reasons) > 1:
            people.append(person)
    return sorted(people, key=lambda person: (-len(person.reasons), result.total(person.standing)))


def _look_at_files(person: Help) -> None:
    if person.standing.problem:
        person.reasons.append(f"Could not be graded: {person.standing.problem}")
        person.urgent = True
    broken = [m for m in person.standing.milestones.values() if m.problem is not None]
    if broken:
        person.reasons.append(f"Could not be graded: {', '.join(f'{milestone.id}.py' for milestone in broken)}.")
        person.urgent = True


def _look_at_begun(person: Help, milestones: list[MilestoneFigure], students: int, now: datetime | None) -> None:
    late = []
    for figure in milestones:
        name = figure.column.milestone
        if begun(person.standing.milestones.get(name)) or name in {*person.standing.excused, *person.standing.pending}:
            continue
        if past(figure.column.due, now) or figure.begun >= MOST_BEGUN * students:
            late.append(words.short(figure.column.milestone))
    if late:
        person.reasons.append(f"Has not begun {', '.join(late)}.")


def _look_at_tasks(person: Help, tasks: list[TaskFigure]) -> None:
    broken = []
    for figure in tasks:
        task = own(person.standing, Task(figure.id, figure.title, figure.points))
        if task is not None and task.outcome in _BROKEN:
            broken.append(f"{task.id} {words.OUTCOME[task.outcome]}")
    if broken:
        person.reasons.append(f"Code breaks: {', '.join(broken)}.")
    for figure in tasks:
        task = own(person.standing, Task(figure.id, figure.title, figure.points))
        quiet = (PASSED, *_UNTOUCHED, *_BROKEN)
        if task is not None and task.outcome not in quiet and figure.share >= MOST_EARNED:
            person.reasons.append(
                f"Is stuck at {figure.id} {figure.title}, which {figure.earned} of {figure.tried} have earned."
            )
            return


def past(due: str, now: datetime | None) -> bool:
    """Say whether a due date has passed; one without an offset is taken for UTC, and what is no date has not."""
    if not due or now is None:
        return False
    try:
        moment = datetime.fromisoformat(due)
    except ValueError:
        return False
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < now
