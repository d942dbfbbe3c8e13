"""What the sources of a class hold: one candidate for each submission, whose files are not read yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from grader.reports.safe_text import one_line
from grader.submission import Submission, open_regular, reason
from grader.syllabus import Syllabus

from .archives import CLASS, archive_tree, is_archive, is_unreadable_kind, stem
from .git_sources import Listed, ListError, fetch_and_take, read_list
from .layout import Part, has_modules, split, take_archive, take_tree
from .lms_exports import Exported, gradescope, moodle, without_group
from .roster import Ambiguous, Claim, Roster
from .standing import Student
from .trees import Tree, TreeError, folder_tree

LIST_LIMIT = 4 * 1024 * 1024
LIST_SUFFIXES = (".csv", ".tsv", ".txt", ".list", "")


class CollectingError(Exception):
    """A source as a whole cannot be taken in, such as a path that is not there; the text is one sentence."""


@dataclass
class Taken:
    """What reading a candidate gives."""

    submission: Submission
    origin: str
    notes: list[str] = field(default_factory=list)


@dataclass
class Candidate:
    """One submission before it is read."""

    claim: Claim  # who it says it is from
    stranger: Student  # who that is where there is no roster, or nobody on it answers to the claim
    origin: str
    take: Callable[[], Taken]  # raises SubmissionError, TreeError or GitError with one sentence
    handed_in: str = ""
    notes: list[str] = field(default_factory=list)
    fetched: bool = False  # from another machine: several may be read at the same time


def candidates_of(
    source: Path | str, syllabus: Syllabus, roster: Roster, stack: ExitStack, notes: list[str]
) -> list[Candidate]:
    """Return the submissions in a source; `stack` closes its archives.

    Raises CollectingError for what is no source, TreeError for an archive or a folder that cannot be read.
    """
    path = Path(source)
    shown = one_line(str(path.name or path), 120) if path.is_absolute() else one_line(str(path), 120)
    if path.is_dir():
        return _in_tree(folder_tree(path, shown), path.resolve().name, syllabus, roster, notes, nesting=0)
    try:
        file: BinaryIO = stack.enter_context(path.open("rb")) if path.is_file() else open_regular(path)
    except FileNotFoundError:
        raise CollectingError(f"There is no folder, archive or list {one_line(str(path), 200)}.") from None
    except (OSError, ValueError) as error:
        why = reason(error)
        raise CollectingError(f"{one_line(str(path), 200)} cannot be read: {why}.") from error
    name = stem(path.name)
    if name or is_archive(file):
        tree = archive_tree(file, shown, CLASS, stack)
        return _in_tree(tree, name or path.stem, syllabus, roster, notes, nesting=1)
    if is_unreadable_kind(path.name):
        raise CollectingError(f"{shown} is an archive of a kind that is not read; zip and tar are.")
    if path.suffix.lower() not in LIST_SUFFIXES:
        raise CollectingError(f"{shown} is no folder, no zip or tar archive, and no list of git repositories.")
    return _in_list(file, shown, path.resolve().parent, syllabus)


def _in_tree(
    tree: Tree, name: str, syllabus: Syllabus, roster: Roster, notes: list[str], nesting: int
) -> list[Candidate]:
    known = partial(is_known, roster)
    # Somebody's own archive is never read as a class's export: it could bring metadata that names others.
    exported = None if known(name) or has_modules(tree, syllabus) else gradescope(tree) or moodle(tree)
    if exported is not None:
        notes += tree.notes
        return [_of_export(each, syllabus, roster, nesting) for each in exported]
    parts = split(tree, name, syllabus, known, is_archive=nesting > 0)
    if len(parts) == 1 and parts[0].tree is tree:
        if not tree.entries:
            raise TreeError(f"There is nothing in {tree.shown.rstrip('!')}.")
    else:
        notes += tree.notes
    return [_of_part(part, Claim(part.name), Student(one_line(part.name, 100)), syllabus, nesting) for part in parts]


def is_known(roster: Roster, word: str) -> bool:
    """Tell whether a name is somebody's on the roster, were it two people's."""
    try:
        return roster.find(Claim(word)) is not None
    except Ambiguous:
        return True


def _of_part(part: Part, claim: Claim, stranger: Student, syllabus: Syllabus, nesting: int) -> Candidate:
    def take() -> Taken:
        if part.tree is not None:
            return Taken(*take_tree(part.tree, syllabus, nesting))
        assert part.archive is not None
        return Taken(*take_archive(part.archive, part.shown, syllabus, nesting))

    return Candidate(claim, stranger, part.shown, take)


def _of_export(each: Exported, syllabus: Syllabus, roster: Roster, nesting: int) -> Candidate:
    claim = each.claim
    if roster.students and claim.name and not (claim.id or claim.email) and not is_known(roster, claim.name):
        # A group's name may stand before the student's; only a whole name after one of the hyphens counts.
        known = [name for name in without_group(claim.name) if is_known(roster, name)]
        claim = Claim(name=known[0]) if len(known) == 1 else claim
    stranger = Student(*(one_line(part, 100) for part in (each.student.id, each.student.name, each.student.email)))
    candidate = _of_part(each.part, claim, stranger, syllabus, nesting)
    candidate.handed_in, candidate.notes = each.handed_in, [one_line(note, 300) for note in each.notes]
    if each.problem:

        def refuse() -> Taken:
            raise TreeError(each.problem)

        candidate.take = refuse
    return candidate


def _in_list(file: BinaryIO, shown: str, folder: Path, syllabus: Syllabus) -> list[Candidate]:
    data = file.read(LIST_LIMIT + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CollectingError(f"{shown} is no folder, no zip or tar archive, and no list in UTF-8.") from None
    if len(data) > LIST_LIMIT:
        raise CollectingError(
            f"{shown} is larger than {LIST_LIMIT // 1024 // 1024} MB, which no list of repositories is."
        )
    try:
        return [_of_repository(listed, syllabus) for listed in read_list(text, shown, folder)]
    except ListError as error:
        raise CollectingError(str(error)) from error


def _of_repository(listed: Listed, syllabus: Syllabus) -> Candidate:
    def take() -> Taken:
        submission, commit, notes = fetch_and_take(listed, syllabus)
        return Taken(submission, listed.shown(commit), notes)

    word = listed.student or listed.name
    stranger = Student(one_line(word, 100))
    return Candidate(Claim(word), stranger, listed.shown(), take, listed.handed_in, fetched=True)
