"""What of a class is to be graded, and what there is to say about how that went."""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.classroom.book.gradebook import Key
from grader.classroom.book.standing import Student
from grader.classroom.intake.collecting import Collected
from grader.safe_text import one_line
from grader.submission import Submission


@dataclass(frozen=True)
class Due:
    """A milestone of one student that is to be graded."""

    student: Student
    handin: int
    key: Key
    submission: Submission
    cheap: bool  # nothing of it will be run: an untouched stub, or a file that could not be taken
    handed_in: str = ""  # when its own module was first handed in, where that is known
    borrowed: tuple[str, ...] = ()  # what it stands on that was not handed in along with it: module ids


@dataclass
class Tally:
    """How the batch went."""

    graded: int = 0  # milestones with a new result
    kept: int = 0  # milestones whose result was in the book already
    faults: int = 0  # milestones that the grader failed at
    ungraded: list[str] = field(default_factory=list)  # a sentence for each milestone without a result, faults included
    problems: list[str] = field(default_factory=list)  # a sentence for each hand-in that cannot be graded
    notes: list[str] = field(default_factory=list)  # a sentence each: what counts in place of what was named
    borrowers: dict[tuple[str, tuple[str, ...]], list[str]] = field(default_factory=dict)  # milestone, modules → who
    again: dict[str, list[str]] = field(default_factory=dict)  # milestone graded for what it stands on → who


def grouped(due: list[Due]) -> list[list[Due]]:
    """Make one job of everything cheap; the rest is a job each, so that little is lost and workers end together."""
    groups = [[one] for one in due if not one.cheap]
    together: dict[int, list[Due]] = {}
    for one in due:
        if one.cheap:
            together.setdefault(id(one.submission), []).append(one)
    return [*groups, *together.values()]


def several(names: list[str], most: int = 6) -> str:
    """Return names for a sentence, the first few of many."""
    shown = [one_line(name, 80) for name in names]
    return f"{', '.join(shown[:most])} and {len(shown) - most} more" if len(shown) > most else ", ".join(shown)


def told(tally: Tally, collected: Collected) -> list[str]:
    """Return what there is to say about what was handed in, one sentence each, for whoever grades the class."""
    said = {*collected.notes, *tally.problems}
    found = [
        f"{handed.student.id}: {note}" for handed in collected.handed_in for note in handed.notes if note not in said
    ]
    found += tally.notes
    for (milestone, modules), who in tally.borrowers.items():
        needs = ", ".join(name[:3] for name in modules)
        found.append(f"{milestone[:3]} stands on {needs} from an earlier hand-in of {several(who)}.")
    for milestone, who in tally.again.items():
        found.append(f"{milestone[:3]} was graded again, since what it is made of is newer, of {several(who)}.")
    return found
