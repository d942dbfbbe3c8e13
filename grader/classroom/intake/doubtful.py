"""What of a collection is not clear: whose it is, or what is in it. None of it is graded, and none of it is nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from grader.classroom.book.doubts import MISTAKEN, NOT_ASKED, SOMEBODYS, TWICE, UNOPENED, UNREADABLE, Doubt
from grader.submission import Submission

from .collected import Collected
from .identity import Claimed
from .merging import is_stub


def doubts_of(
    unclear: Iterable[tuple[Claimed, Submission | None, str]],
    collected: Collected,
    left_out: Iterable[tuple[Claimed, Submission | None]],
    stubs: Mapping[str, bytes],
) -> list[Doubt]:
    """Return the doubts of a collection.

    `unclear` is what is nobody's yet, what is in it where that could be read, and what is said of it; `left_out` is
    what was not asked for, whose it is being known. Where it is not known what is in something, it is taken for what
    others have handed in along with it.
    """
    handed_in = collected.handed_in
    seen = {name for each in handed_in for name in _worked(each.submission, stubs)}
    unknown = dict.fromkeys(sorted(seen), "")
    found: list[Doubt] = []
    for each, submission, why in unclear:
        contents = unknown if submission is None else _worked(submission, stubs)
        if submission is None or contents:
            found.append(Doubt(each.candidate.origin, why, each.maybe, contents))
    for handed in handed_in:
        who = (handed.student.id,)
        if handed.undecided:
            found.append(Doubt(handed.origin, TWICE, who, dict.fromkeys(handed.undecided, "")))
        elif handed.problem or handed.troubles:
            found.append(Doubt(handed.origin, UNREADABLE, who, unknown))
        given = handed.submission
        for why, names in (
            (MISTAKEN, given.mistaken),
            (UNOPENED, seen - set(handed.modules) if given.unopened else ()),
        ):
            if names:
                found.append(Doubt(handed.origin, why, who, dict.fromkeys(sorted(names), "")))
    for each, submission in left_out:
        contents = unknown if submission is None else _worked(submission, stubs)
        if each.student is not None and (submission is None or contents):
            found.append(Doubt(each.candidate.origin, NOT_ASKED, (each.student.id,), contents))
    found += [Doubt(source, SOMEBODYS) for source in collected.unread]
    return found + [Doubt(source, SOMEBODYS, (), unknown) for source in collected.lost]


def _worked(submission: Submission, stubs: Mapping[str, bytes]) -> dict[str, str]:
    """Return the modules that somebody has written in, with their SHA-256; nobody misses the mark of a stub."""
    return {
        name: hashlib.sha256(source).hexdigest()
        for name, source in submission.sources.items()
        if not is_stub(source, stubs.get(name))
    }
