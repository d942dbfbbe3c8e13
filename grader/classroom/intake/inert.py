"""Candidates and what was taken of them as plain data, which is all that leaves the process that reads them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import astuple
from typing import Any

from grader.classroom.book.standing import Student
from grader.submission import Submission
from grader.syllabus import Syllabus

from .candidates import Candidate, Taken
from .roster import Claim
from .trees import TreeError


class NotInert(ValueError):
    """An answer is not as `of_candidate` and `of_taken` make them."""


def of_candidate(candidate: Candidate) -> list[Any]:
    """Return a candidate without its way to be read."""
    each = candidate
    named = "" if each.anonymous else "named"
    who = astuple(each.claim), astuple(each.stranger)
    return [*who, each.origin, each.handed_in, each.notes, each.unclear, list(each.maybe), named]


def candidate(plain: Any) -> Candidate:
    """Return the candidate again, still without its way to be read. Raises NotInert."""
    claim, stranger, origin, handed_in, notes, unclear, maybe, named = _list(plain, 8)
    return Candidate(
        Claim(*_texts(claim, 4)), Student(*_texts(stranger, 3)), _text(origin), _nowhere,
        _text(handed_in), _texts(notes), _text(unclear), tuple(_texts(maybe)), anonymous=not _text(named),
    )  # fmt: skip


def _nowhere() -> Taken:
    raise TreeError("There is no way to read this submission.")


def of_taken(taken: Taken) -> list[Any]:
    """Return what was taken; sources as base64."""
    given = taken.submission
    sources = [[name, base64.b64encode(source).decode("ascii")] for name, source in given.sources.items()]
    problems = list(given.problems.items())
    absent, mistaken = sorted(given.absent), sorted(given.mistaken)
    unopened = "unopened" if given.unopened else ""
    return [given.folder, sources, problems, absent, mistaken, unopened, given.notes, taken.origin, taken.notes]


def taken(plain: Any, syllabus: Syllabus) -> Taken:
    """Return it again. Raises NotInert, also for a module that is none of the syllabus's or too large."""
    folder, sources, problems, absent, mistaken, unopened, notes, origin, said = _list(plain, 9)
    names = {milestone.id for milestone in syllabus.milestones}
    submission = Submission(_text(folder), notes=_texts(notes))
    for pair in _list(sources):
        name, source = _texts(pair, 2)
        try:
            data = base64.b64decode(source, validate=True)
        except binascii.Error as error:
            raise NotInert from error
        if name not in names or len(data) > syllabus.max_source_bytes:
            raise NotInert
        submission.sources[name] = data
    for pair in _list(problems):
        name, problem = _texts(pair, 2)
        if name not in names:
            raise NotInert
        submission.problems[name] = problem
    submission.absent = set(_texts(absent))
    submission.mistaken, submission.unopened = set(_texts(mistaken)), bool(_text(unopened))
    if not submission.mistaken <= submission.absent <= submission.problems.keys():
        raise NotInert
    return Taken(submission, _text(origin), _texts(said))


def texts(plain: Any) -> list[str]:
    """Return a list of texts. Raises NotInert for anything else."""
    return _texts(plain)


def _list(value: Any, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or length not in (None, len(value)):
        raise NotInert
    return value


def _texts(value: Any, length: int | None = None) -> list[str]:
    return [_text(each) for each in _list(value, length)]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotInert
    return value
