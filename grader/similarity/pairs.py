"""Which submissions of a class are suspiciously alike, milestone by milestone. Likeness is no proof."""

from __future__ import annotations

import functools
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader import files
from grader.classroom.book.standing import Student
from grader.submission import Submission
from grader.syllabus import Milestone

from . import likeness
from .likeness import Likeness, Module

# Measured on this course (tests/test_similarity.py): 91 pairs of right modules that were written independently reach
# 0.20 at most, 52 copies in disguise 0.84 at least; of 52 with every second function replaced, 41 reach this threshold.
THRESHOLD = 0.4
Modules = list[tuple[Student, bytes, Module]]


@dataclass(frozen=True)
class Pair:
    """Two modules that are alike."""

    score: float
    left: Student
    right: Student
    left_module: Module
    right_module: Module
    same_bytes: bool
    like_reference: bool  # both are like the reference solution as well: they may have one source

    @functools.cached_property
    def likeness(self) -> Likeness:
        """What they share, looked for when somebody wants to see it."""
        return likeness.compare(self.left_module, self.right_module)


@dataclass(frozen=True)
class LikeReference:
    """A module that is like the reference solution, which nobody was given."""

    student: Student
    likeness: Likeness
    module: Module


@dataclass
class Findings:
    """What was found in one milestone."""

    milestone: Milestone
    compared: int = 0  # submissions with enough of their own
    short: list[Student] = field(default_factory=list)  # too little of their own for a likeness to say anything
    pairs: list[Pair] = field(default_factory=list)  # the most alike first
    references: list[LikeReference] = field(default_factory=list)
    reference_module: Module | None = None
    median: float | None = None  # of the likeness of all pairs, for comparison


def find(
    handed_in: Sequence[tuple[Student, Submission]],
    milestones: Sequence[Milestone],
    stubs: Path,
    reference: Path | None,
    threshold: float = THRESHOLD,
    earlier: Sequence[tuple[Student, Submission]] = (),
) -> list[Findings]:
    """Compare everybody with everybody else, with earlier years, and with the reference where there is one.

    `stubs` is the folder with the stubs and guides as they were handed out: what stands there is nobody's own.
    What a course brings has its own in its room.
    """
    return [_find(handed_in, milestone, stubs, reference, threshold, earlier) for milestone in milestones]


def _find(
    handed_in: Sequence[tuple[Student, Submission]],
    milestone: Milestone,
    stubs: Path,
    reference: Path | None,
    threshold: float,
    earlier: Sequence[tuple[Student, Submission]],
) -> Findings:
    stub = _bytes(milestone.stub if milestone.own else stubs / f"{milestone.id}.py")
    guide = _bytes(milestone.guide if milestone.own else stubs / f"{milestone.id}.md").decode("utf-8", errors="replace")
    contract = likeness.names(stub)
    known = likeness.boilerplate(stub, guide, contract)
    findings = Findings(milestone)

    def prepared(submissions: Sequence[tuple[Student, Submission]], short: list[Student]) -> Modules:
        modules: Modules = []
        for student, submission in submissions:
            source = submission.sources.get(milestone.id)
            if source is None or source.split() == stub.split():
                continue
            module = likeness.prepare(source, known, contract)
            if module.long_enough:
                modules.append((student, source, module))
            else:
                short.append(student)
        return modules

    modules, before = prepared(handed_in, findings.short), prepared(earlier, [])
    findings.compared = len(modules)
    solution = _bytes(reference / f"{milestone.id}.py") if reference is not None else b""
    if milestone.own and reference is not None:
        solution = solution or _bytes(milestone.solution)
    if solution:
        findings.reference_module = likeness.prepare(solution, known, contract)
        findings.references = _like_reference(modules, findings.reference_module, threshold)
    _compare_all(findings, modules, before, threshold)
    return findings


def _like_reference(modules: Modules, solution: Module, threshold: float) -> list[LikeReference]:
    found = [
        LikeReference(student, likeness.compare(module, solution), module)
        for student, _, module in modules
        if likeness.score(module, solution) >= threshold
    ]
    return sorted(found, key=lambda each: (-each.likeness.score, each.student.id))


def _compare_all(findings: Findings, modules: Modules, earlier: Modules, threshold: float) -> None:
    scores = []
    suspects = {each.student.id for each in findings.references}
    pairs = itertools.chain(itertools.combinations(modules, 2), itertools.product(modules, earlier))
    for (left, left_source, left_module), (right, right_source, right_module) in pairs:
        if left.id == right.id:
            continue
        score = likeness.score(left_module, right_module)
        scores.append(score)
        if score >= threshold:
            both = left.id in suspects and right.id in suspects
            same = left_source == right_source
            findings.pairs.append(Pair(score, left, right, left_module, right_module, same, both))
    findings.pairs.sort(key=lambda pair: (-pair.score, pair.left.id, pair.right.id))
    findings.median = statistics.median(scores) if scores else None


def _bytes(path: Path) -> bytes:
    """Return a file of the course's own; nothing when it is not there."""
    try:
        return files.read(path, 2**20)
    except (OSError, ValueError):
        return b""
