"""What a student has handed in, several times perhaps: one submission, each module from the latest that has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from grader.classroom.book.standing import Student
from grader.safe_text import one_line
from grader.submission import Submission


@dataclass
class HandedIn:
    """One student's submission, taken; put together where there were several."""

    student: Student
    submission: Submission
    origin: str  # as it is named to the instructor: "week4.zip!anna_123/exercises", "submissions/anna"
    handed_in: str = ""  # ISO 8601 with its offset, where the source says so; of several the latest
    problem: str = ""  # one sentence when nothing of it can be graded; the submission is empty then
    notes: list[str] = field(default_factory=list)  # one sentence each: what was ignored, and why
    troubles: list[str] = field(default_factory=list)  # why a part of it is not graded, though the rest is
    undecided: list[str] = field(default_factory=list)  # modules that were handed in several times, and none counts
    pieces: dict[str, tuple[str, str]] = field(default_factory=dict)  # of several: module -> its origin and time

    def piece(self, module: str) -> tuple[str, str]:
        """Return where a module came from, and when it was handed in."""
        return self.pieces.get(module, (self.origin, self.handed_in))

    @property
    def modules(self) -> list[str]:
        """The modules that were handed in: sources, and files that could not be taken."""
        given = self.submission
        return sorted((given.sources.keys() | given.problems.keys()) - given.absent)


def merged(group: Sequence[HandedIn], stubs: Mapping[str, bytes], notes: list[str]) -> HandedIn:
    """Return what a student's hand-ins are together; `notes` hears what was taken from where.

    A module is taken from the latest hand-in that has it. An untouched stub is no work: it never takes the place of a
    module that somebody has written in. Where nothing says which of two is later, neither is taken, and it is said.
    """
    if len(group) == 1:
        return group[0]
    first = group[0]
    who, origins = name_of(first.student), ", ".join(each.origin for each in group)
    readable = [each for each in group if not each.problem]
    troubles = [each.problem for each in group if each.problem]
    if not readable:
        return HandedIn(first.student, first.submission, origins, problem=" ".join(troubles))
    whole = Submission(readable[0].submission.folder)
    made = HandedIn(first.student, whole, origins, troubles=troubles)
    unclear: list[str] = []
    for module in sorted({name for each in readable for name in each.submission.sources | each.submission.problems}):
        having = [each for each in readable if module in each.modules]
        chosen = _latest(having, module, stubs)
        if chosen is None:
            whole.problems[module] = (having or readable)[0].submission.problems.get(module, "")
            whole.absent.add(module)
            if having:
                unclear.append(module)
                whole.problems[module] = (
                    f"{module}.py was handed in {len(having)} times, and nothing says which counts."
                )
            continue
        made.pieces[module] = chosen.origin, chosen.handed_in
        if module in chosen.submission.sources:
            whole.sources[module] = chosen.submission.sources[module]
        else:
            whole.problems[module] = chosen.submission.problems[module]
    whole.unopened = any(each.submission.unopened for each in readable)
    whole.mistaken = {name for each in readable for name in each.submission.mistaken} - set(whole.sources)
    if unclear:
        made.undecided = unclear
        made.troubles.append(
            f"{who} has handed in {len(group)} times ({origins}), and nothing says which {_shown(unclear)} counts; "
            "keep one of them, or grade them one run after the other, the latest last."
        )
    if not made.pieces:
        problem = " ".join(made.troubles)
        return HandedIn(first.student, Submission(first.origin), origins, problem=problem, undecided=unclear)
    made.handed_in = max((time for _, time in made.pieces.values() if time), key=datetime.fromisoformat, default="")
    notes.append(f"{who} has handed in {len(group)} times: {_told(made, readable, unclear)}.")
    made.notes = [*dict.fromkeys(note for each in readable for note in each.notes), notes[-1]]
    return made


def _latest(having: Sequence[HandedIn], module: str, stubs: Mapping[str, bytes]) -> HandedIn | None:
    """Return the hand-in whose module counts; None where there is none, or nothing says which."""
    worked = [each for each in having if not is_stub(each.submission.sources.get(module), stubs.get(module))]
    having = worked or having
    if not having:
        return None
    timed = sorted((each for each in having if each.handed_in), key=lambda each: datetime.fromisoformat(each.handed_in))
    if all(_content(each, module) == _content(having[0], module) for each in having):
        return timed[0] if timed else having[0]  # of the same module what came first: it is not late for the second
    if len(timed) < len(having):
        return None
    last = datetime.fromisoformat(timed[-1].handed_in)
    tied = [each for each in timed if datetime.fromisoformat(each.handed_in) == last]
    return timed[-1] if len({_content(each, module) for each in tied}) == 1 else None


def _content(each: HandedIn, module: str) -> tuple[bytes | None, bool]:
    return each.submission.sources.get(module), module in each.submission.problems


def is_stub(source: bytes | None, stub: bytes | None) -> bool:
    """Tell whether a module is the stub that it began as, however an editor or git has ended its lines."""
    return source is not None and stub is not None and source.split() == stub.split()


def _told(made: HandedIn, group: Sequence[HandedIn], unclear: list[str]) -> str:
    """Return what was taken from where."""
    parts = []
    for each in group:
        taken = [module for module, piece in made.pieces.items() if piece == (each.origin, each.handed_in)]
        if taken:
            parts.append(f"{_shown(taken)} from {each.origin}")
        elif all(made.submission.sources.get(name) == each.submission.sources.get(name) for name in each.modules):
            parts.append(f"the same in {each.origin}")
        elif not unclear:
            parts.append(f"nothing from {each.origin}, which came in earlier or is untouched")
    return "; ".join(parts) if parts else f"nothing was taken ({', '.join(each.origin for each in group)})"


def _shown(modules: Sequence[str]) -> str:
    return ", ".join(module[:3] for module in modules)


def name_of(student: Student) -> str:
    """Return who it is, for a sentence."""
    return one_line(student.name or student.id, 100)
