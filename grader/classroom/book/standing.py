"""Where a class stands: what the gradebook gives, and the only thing that class reports and exports read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from grader import record
from grader.lateness import Lateness
from grader.rounding import Rounding


@dataclass(frozen=True)
class Student:
    """Somebody on the roster."""

    id: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Adjustment:
    """What a person made of a mark."""

    milestone: str
    task: str  # empty: the milestone as a whole
    value: str  # "12": that many points; "+2" or "-1.5": so many more or fewer
    reason: str  # which the student reads
    author: str = ""
    made: str = ""  # ISO 8601
    out_of: float = 0.0  # of a task: what it has in the syllabus, in whose points the value is; 0: not known

    def of_task(self, task: record.Task) -> float:
        """Return what a task counts, in the points that the course gives it: the value is scaled as the task is."""
        scale = task.points / self.out_of if self.out_of else 1.0
        return self.of(task.earned / scale) * scale if task.points else 0.0

    def of(self, points: float) -> float:
        """Return what these points become."""
        change = float(self.value)
        return max(0.0, points + change if self.value[:1] in "+-" else change)

    @property
    def sets(self) -> bool:
        """Whether it says how many points there are, and not how many more or fewer."""
        return self.value[:1] not in "+-"


@dataclass
class Standing:
    """One student's latest results, and what was decided about them."""

    student: Student
    milestones: dict[str, record.Milestone] = field(default_factory=dict)  # id -> latest result
    penalties: dict[str, float] = field(default_factory=dict)  # milestone id -> points lost for lateness
    origin: str = ""  # where the submission came from, as it was named; empty: nothing was handed in
    handed_in: str = ""  # ISO 8601 with its offset, where it is known
    problem: str = ""  # one sentence, when nothing of it could be graded
    notes: list[str] = field(default_factory=list)  # one sentence each
    lateness: dict[str, Lateness] = field(default_factory=dict)  # milestone id -> how late it is
    adjustments: list[Adjustment] = field(default_factory=list)
    excused: dict[str, str] = field(default_factory=dict)  # milestone id -> why it does not count
    absent: dict[str, str] = field(default_factory=dict)  # milestone never handed in -> what is said of it
    waiting: dict[str, str] = field(default_factory=dict)  # milestone handed in and not graded -> why not
    zeros: list[str] = field(default_factory=list)  # of those the milestones that are 0, since they were due
    pending: list[str] = field(default_factory=list)  # milestones that are not due yet for this student
    doubts: dict[str, str] = field(
        default_factory=dict
    )  # milestone id -> why something that may be theirs is not clear
    drafts: list[str] = field(default_factory=list)  # milestones whose marks are not released yet
    answers: dict[str, str] = field(default_factory=dict)  # milestone id -> what was answered to a request
    times: dict[str, str] = field(default_factory=dict)  # milestone id -> when its module was first handed in, if known
    origins: dict[str, str] = field(default_factory=dict)  # milestone id -> where its module came from
    guest: bool = False  # there is a roster, and they are not on it
    rounding: Rounding = field(default_factory=Rounding)

    def raw(self, milestone: str) -> float:
        """Return the points earned in a milestone before any penalty, with what a person changed in its tasks."""
        return sum(task.earned for task in self.tasks(milestone))

    def tasks(self, milestone: str) -> list[record.Task]:
        """Return the tasks of a milestone's result with what a person changed in them, in the course's points."""
        found = self.milestones.get(milestone)
        changed = {each.task: each for each in self.adjustments if each.milestone == milestone and each.task}
        return [
            replace(task, earned=changed[task.id].of_task(task)) if task.id in changed else task
            for task in (found.tasks if found else ())
        ]

    def is_set(self, milestone: str) -> bool:
        """Tell whether a person has set the mark, whatever was earned."""
        return any(each.milestone == milestone and not each.task and each.sets for each in self.adjustments)

    def is_decided(self, milestone: str) -> bool:
        """Tell whether there is a mark that the grader, or a person, stands behind."""
        if milestone in self.zeros or self.is_set(milestone):
            return True
        found = self.milestones.get(milestone)
        return found is not None and found.decided

    def mark(self, milestone: str) -> float | None:
        """Return the points that count, rounded as the course rounds; None where there is no mark.

        Lateness is taken off what was earned; what a person decided of the milestone as a whole comes last.
        """
        if milestone in self.excused:
            return None
        points: float | None = None
        if milestone in self.milestones:
            points = max(0.0, self.raw(milestone) - self.penalties.get(milestone, 0.0))
        elif milestone in self.zeros:
            points = 0.0
        for each in self.adjustments:
            if each.milestone == milestone and not each.task and (each.sets or points is not None):
                points = each.of(points or 0.0)
        return None if points is None else self.rounding(points)

    @property
    def open(self) -> list[str]:
        """The milestones that were, or may have been, handed in and have no mark: they are in no total."""
        return [name for name in {**self.doubts, **self.waiting} if self.mark(name) is None]

    def score(self, milestone: str) -> float:
        """Return the points that count in a milestone: 0 where there is no mark."""
        return self.mark(milestone) or 0.0


@dataclass(frozen=True)
class Column:
    """One milestone as exports name it."""

    milestone: str  # "m04_attention"
    title: str
    possible: float
    due: str = ""  # ISO 8601 with its offset, where the course has dates
    weight: float | None = None  # what full points add to the total; None: what is possible
    counts: bool = True  # in totals: it is due by now, or has no due date

    @property
    def worth(self) -> float:
        """What full points add to the total."""
        return self.possible if self.weight is None else self.weight


@dataclass
class ClassResult:
    """A whole class."""

    course: str
    columns: list[Column]
    standings: list[Standing]  # in the order of the roster
    grader: str = ""  # version of the grader and the hash of its suites
    isolation: str = ""
    official: bool = False
    notes: list[str] = field(default_factory=list)
    rounding: Rounding = field(default_factory=Rounding)

    @property
    def possible(self) -> float:
        """Points that can be earned in all that is due."""
        return sum(column.worth for column in self.columns if column.counts)

    def total(self, standing: Standing, columns: Iterable[Column] | None = None) -> float:
        """Return a student's points in all milestones that count, or in these, as their weights have them."""
        counted = self.counted(standing, columns)
        scaled = (
            standing.score(each.milestone) * (each.worth / each.possible if each.weight else 1) for each in counted
        )
        return self.rounding(sum(scaled))

    def possible_for(self, standing: Standing, columns: Iterable[Column] | None = None) -> float:
        """Return what one student's total is out of: nothing excused, not due yet, or in doubt."""
        return sum(column.worth for column in self.counted(standing, columns))

    def counted(self, standing: Standing, columns: Iterable[Column] | None = None) -> list[Column]:
        """Return the columns that a student's total is made of, out of all or of these."""
        among = self.columns if columns is None else columns
        left_out = {*standing.excused, *standing.pending, *standing.open}
        return [column for column in among if column.counts and column.milestone not in left_out]
