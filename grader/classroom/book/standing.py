"""Where a class stands: what the gradebook gives, and the only thing that class reports and exports read."""

from __future__ import annotations

from dataclasses import dataclass, field

from grader import record


@dataclass(frozen=True)
class Student:
    """Somebody on the roster."""

    id: str
    name: str = ""
    email: str = ""


@dataclass
class Standing:
    """One student's latest results."""

    student: Student
    milestones: dict[str, record.Milestone] = field(default_factory=dict)  # id -> latest result
    penalties: dict[str, float] = field(default_factory=dict)  # milestone id -> points lost for lateness
    origin: str = ""  # where the submission came from, as it was named; empty: nothing was handed in
    handed_in: str = ""  # ISO 8601 with its offset, where it is known
    problem: str = ""  # one sentence, when nothing of it could be graded
    notes: list[str] = field(default_factory=list)  # one sentence each

    def raw(self, milestone: str) -> float:
        """Return the points earned in a milestone before any penalty."""
        found = self.milestones.get(milestone)
        return found.earned if found else 0.0

    def score(self, milestone: str) -> float:
        """Return the points of a milestone after the penalty for lateness."""
        return max(0.0, self.raw(milestone) - self.penalties.get(milestone, 0.0))


@dataclass(frozen=True)
class Column:
    """One milestone as exports name it."""

    milestone: str  # "m04_attention"
    title: str
    possible: float
    due: str = ""  # ISO 8601 with its offset, where the course has dates


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

    @property
    def possible(self) -> float:
        """Points that can be earned in all milestones."""
        return sum(column.possible for column in self.columns)

    def total(self, standing: Standing) -> float:
        """Return a student's points in all milestones, penalties taken off."""
        return sum(standing.score(column.milestone) for column in self.columns)
