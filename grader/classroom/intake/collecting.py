"""Taking in a class: folders, archives, exports and git repositories become one submission for each student."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from datetime import datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType

from grader.classroom.book.doubts import HIDDEN, SEVERAL, SOMEBODYS
from grader.classroom.book.standing import Student
from grader.safe_text import one_line
from grader.submission import Submission, SubmissionError
from grader.syllabus import Syllabus

from .candidates import Candidate, CollectingError, Source, Taken, Unbelieved, is_known
from .collected import Collected
from .doubtful import doubts_of
from .git_process import GitError
from .groups import of_a_group
from .identity import Claimed, settle
from .listed import candidates_in_list
from .merging import HandedIn, merged, name_of
from .reader import Reader
from .reading import unexpected
from .roster import Claim, Roster, folded
from .strangers import all_strange, like_others, said_of_hidden
from .trees import TreeError
from .who_is_who import WhoIsWho

__all__ = ["Collected", "CollectingError", "HandedIn", "collect_class"]

FETCHES = 4  # repositories that are fetched at the same time


def collect_class(
    sources: Sequence[Path | str],
    syllabus: Syllabus,
    roster: Roster | None = None,
    *,
    exports: Sequence[Path | str] = (),
    book: Sequence[Student] = (),
    allow_local: bool = False,
    since: datetime | None = None,
    students: set[str] | None = None,
    stubs: Mapping[str, bytes] = MappingProxyType({}),
    whose: WhoIsWho = WhoIsWho(),  # noqa: B008 -- it is frozen, and nothing is added to it
    tell: Callable[[str], None] = lambda line: None,
) -> Collected:
    """Take in all submissions of a class; one that cannot be taken never stops the rest.

    `exports` are sources that are believed when they say who handed in what; `book` is who has results already;
    `allow_local` lets lists of repositories name paths of this machine and ssh addresses;
    `since` leaves out what was handed in before, where the source says when that was (what it doesn't say, stays);
    `students` keeps those whose id, email or name is in it; `stubs` is what students start from, which never takes the
    place of a module that was written in; `whose` says whose something is; `tell` hears a line about what takes long.
    Raises CollectingError when a source isn't there or is nothing that can be taken in, or when nobody is who is in
    `students`.
    """
    roster = roster or Roster()
    collected = Collected(notes=[roster.said] if roster.said else [])
    believed = {Path(path).resolve() for path in exports}
    others = [Path(path) for path in sources if Path(path).resolve() not in believed]  # one may be named both ways
    alone = len(others) + len(exports) == 1
    named = [Source(path, alone=alone) for path in others]
    named += [Source(Path(path), export=True, alone=alone) for path in exports]
    with Reader(syllabus, roster) as reader:
        found = _candidates(named, syllabus, roster, allow_local, reader, collected)
        found, collected.nobodys = whose.applied(found)
        claimed = settle(found, roster, book)
        # Where a source is not believed, those that it would have named may well be on the roster.
        if strange := "" if collected.unclear else all_strange(claimed, roster):
            collected.unclear += [strange, *(each.unclear for each in claimed if each.student is None)]
            nobodys = [(each, _contents(each), SOMEBODYS) for each in claimed]
            collected.doubts = doubts_of(nobodys, collected, (), stubs)
            return collected
        everything = claimed
        claimed = [each for each in claimed if _is_wanted(each.student, students, each.candidate.claim)]
        hidden = {each.student for each in claimed if each.candidate.anonymous}
        wanted = [student for student in roster.students if _is_wanted(student, students)]
        _check_wanted(students, wanted, roster, claimed)
        unclear = [
            (each, _contents(each), SEVERAL if each.maybe else SOMEBODYS) for each in claimed if not each.student
        ]
        known = _recent([each for each in claimed if each.student], since, collected.notes)
        taken = _taken(known, tell)
        # What is fetched is left where it is.
        place = {id(each.candidate): number for number, each in enumerate(known)}
        left_out = [each for each in everything if each.student and id(each.candidate) not in place]
        left_alone = [(each, None if each.candidate.fetched else _contents(each)) for each in left_out]
    collected.unclear += [each.unclear for each, *_ in unclear]
    if hidden:  # whoever is on the roster may be any of them
        collected.notes.append(said_of_hidden(claimed))
        unclear += [
            (each, read.submission, HIDDEN) for each, read in zip(known, taken, strict=True) if each.student in hidden
        ]
    present = {each.student for each in claimed}
    missing = [student for student in wanted if student not in present and not hidden]
    order = {student: number for number, student in enumerate(roster.students)}
    strangers = [each for each in known if roster.students and each.student not in order and each.student not in hidden]
    for each in like_others(strangers, missing, roster, any(of_a_group(each.candidate.notes) for each in known)):
        collected.unclear.append(each.unclear)
        unclear.append((each, taken[place[id(each.candidate)]].submission, SOMEBODYS))
    groups: dict[Student, list[HandedIn]] = {}
    for handed_in in sorted(taken, key=lambda each: (order.get(each.student, len(order)), _natural(each.student.id))):
        groups.setdefault(handed_in.student, []).append(handed_in)
    for student, group in groups.items():
        collected.handed_in.append(merged(group, stubs, collected.notes))
        if roster.students and student not in order and student not in hidden:
            origins = ", ".join(handed_in.origin for handed_in in group[:3])
            collected.notes.append(f"{name_of(student)} is not on the roster ({origins}).")
    collected.doubts = doubts_of(unclear, collected, left_alone, stubs)
    for handed_in in collected.handed_in:
        handed_in.troubles += [
            f"{module[:3]} was not graded, since a file of nearly its name was handed in: it is called {module}.py."
            for module in sorted(handed_in.submission.mistaken)
        ]
    in_doubt = {student for each, *_ in unclear for student in each.maybe}
    collected.missing = [student for student in missing if student.id not in in_doubt]
    return collected


def _contents(each: Claimed) -> Submission | None:
    """Return what is in something that is nobody's yet; None where that cannot be read."""
    try:
        return each.candidate.take().submission
    except Exception:  # as `_take` says; what is wrong with it is of no matter before it is somebody's
        return None


def _candidates(
    sources: Sequence[Source],
    syllabus: Syllabus,
    roster: Roster,
    allow_local: bool,
    reader: Reader,
    collected: Collected,
) -> list[Candidate]:
    """Return what the sources hold; one that can't be read is a student's problem, or nobody's."""
    found: list[Candidate] = []
    unread = []
    for source in sources:
        try:
            if source.is_list():
                found += candidates_in_list(source, syllabus, roster, allow_local)
                continue
            candidates, notes = reader.candidates(source)
            found += candidates
            collected.notes += notes
        except Unbelieved as error:
            collected.unclear.append(str(error))
            collected.unread.append(source.shown)
        except TreeError as error:
            if is_known(roster, source.name):
                refuse = partial(_refuse, str(error))
                found.append(Candidate(Claim(source.name), Student(source.name), source.shown, refuse))
            else:
                unread.append(str(error))
                (collected.unread if source.export or source.path.is_dir() else collected.lost).append(source.shown)
    if not found and (collected.unclear or unread):
        raise CollectingError([*collected.unclear, *unread][0])
    collected.unclear += unread
    return found


def _refuse(sentence: str) -> Taken:
    raise TreeError(sentence)


def _is_wanted(student: Student | None, students: set[str] | None, claim: Claim | None = None) -> bool:
    if students is None:
        return True
    parts = [part for part in (student, claim) if part is not None]
    names = {folded(text) for part in parts for text in astuple(part)} - {""}
    return any(folded(wanted) in names for wanted in students)


def _check_wanted(students: set[str] | None, found: list[Student], roster: Roster, claimed: Sequence[Claimed]) -> None:
    """Raise CollectingError for a name in `students` that is nobody's."""
    for wanted in sorted(students or ()):
        if any(_is_wanted(student, {wanted}) for student in found):
            continue
        if any(_is_wanted(each.student, {wanted}, each.candidate.claim) for each in claimed):
            continue
        names = [part for student in roster.students for part in (student.id, student.email, student.name) if part]
        close = difflib.get_close_matches(wanted, names, n=1)
        guess = f"; did you mean {close[0]}?" if close else ", neither on the roster nor among what was handed in."
        raise CollectingError(f"There is no student {one_line(wanted, 80)}{guess}")


def _recent(claimed: list[Claimed], since: datetime | None, notes: list[str]) -> list[Claimed]:
    """Return what was handed in at `since` or later, or at a time that is not known."""
    if since is None:
        return claimed
    start = since if since.tzinfo else since.astimezone()
    kept = []
    for each in claimed:
        moment = _moment(each.candidate.handed_in)
        if moment is None or moment >= start:
            kept.append(each)
    if left_out := len(claimed) - len(kept):
        many = f"{left_out} submissions were" if left_out > 1 else "1 submission was"
        notes.append(f"{many} handed in before {start.isoformat(timespec='minutes')} and left out.")
    if unknown := sum(not each.candidate.handed_in for each in kept):
        many = f"{unknown} submissions" if unknown > 1 else "1 submission"
        notes.append(f"When {many} came in is not known, so that nothing of it was left out as too early.")
    return kept


def _moment(written: str) -> datetime | None:
    return datetime.fromisoformat(written) if written else None


def _taken(claimed: list[Claimed], tell: Callable[[str], None]) -> list[HandedIn]:
    """Read all candidates, repositories several at a time; the order stays."""
    fetched = [each for each in claimed if each.candidate.fetched]
    with ThreadPoolExecutor(FETCHES) as pool:
        waiting = {id(each): pool.submit(_take, each) for each in fetched}
        found = []
        number = 0
        for each in claimed:
            if id(each) in waiting:
                number += 1
                tell(f"Fetching repository {number} of {len(waiting)}: {each.candidate.origin}")
                found.append(waiting[id(each)].result())
            else:
                found.append(_take(each))
    return found


def _take(each: Claimed) -> HandedIn:
    """Read one candidate; whatever goes wrong with it is its problem, and stays there."""
    candidate = each.candidate
    assert each.student is not None
    handed_in = HandedIn(each.student, Submission(candidate.origin), candidate.origin, candidate.handed_in)
    handed_in.notes = list(candidate.notes)
    try:
        taken = candidate.take()
    except (SubmissionError, TreeError, GitError, Unbelieved) as error:
        handed_in.problem = str(error)
    except Exception as error:  # hostile input finds what nobody has thought of, and the others want their marks
        handed_in.problem = unexpected(candidate.origin, error)
    else:
        handed_in.submission, handed_in.origin = taken.submission, taken.origin
        handed_in.notes += taken.notes
    return handed_in


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a key that sorts anna2 before anna10."""
    return [
        (int(part[:18]), "") if part.isascii() and part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)
    ]
