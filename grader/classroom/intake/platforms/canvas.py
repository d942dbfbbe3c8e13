"""Canvas's bulk download: one flat folder or zip archive, in whose files' names stands who handed them in.

`lovelaceada_12345_678901_m00_warmup.py`, `obrienbrian_LATE_12346_678902_m00_warmup-1.py`: the sortable name in lower
case with nothing but its letters, LATE, the number of the user, that of the attachment, and the file's own name, to
which Canvas adds -1 where the student has handed in one of that name before. Without names: `anon_a1b2C_678901_x.zip`.
A team's files have the team's name, and the number of one of its members.

Source: canvas-lms (stable/2024 and later), lib/content_zipper.rb: get_filename, add_upload_submission, add_text_or_url;
app/models/attachment.rb, make_unique_filename. Until 2023 it wrote LATE in lower case as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from grader.classroom.book.standing import Student
from grader.safe_text import one_line
from grader.submission import NOTEBOOK, SOURCE

from ..archives import stem
from ..layout import Part
from ..roster import Roster
from ..trees import Entry, Tree, beneath
from .handed import Handed, matched, typed
from .names import People

_NAME = r"[^\s/\\.,;'\"()&-]+?"  # Canvas leaves letters, digits and underscores of a name
_HIDDEN = r"(?:(?P<late>LATE|late)_)?(?P<anonymous>anon_[A-Za-z0-9]+)"
_WHO = rf"{_HIDDEN}|(?P<name>{_NAME})_(?:(?P<after>LATE|late)_)?(?P<user>\d+)"
_UPLOADED = re.compile(rf"(?:{_WHO})_(?P<attachment>\d+)_(?P<file>.+)", re.DOTALL)
_TYPED = re.compile(rf"(?:{_WHO})_(?:text|link)\.html")
_AGAIN = re.compile(r"-\d+(?=\.)|-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=\.)")
_NUMBER_FIRST = re.compile(r"\d+_.+", re.DOTALL)


@dataclass(frozen=True)
class _File:
    """One file of a download, its name read."""

    who: tuple[str, str]  # name and number, or no name and what stands for it
    attachment: int
    name: str  # as the student called it
    late: bool
    entry: Entry


def submissions(
    tree: Tree, modules: Collection[str], users: Mapping[str, Student]
) -> tuple[list[Handed], list[str]] | None:
    """Return the submissions of a Canvas download and what there is to say about it, or None when it is none.

    `modules` are the names of the course's files, `users` the students by its numbers, where the roster has them.
    """
    found, written, others = [], {}, 0
    folders = tree.folders()
    strange = [name for name in folders if not matched(_UPLOADED, name)]
    for entry in tree.files:
        if match := matched(_UPLOADED, entry.name):
            who = (match["name"] or "", match["user"] or match["anonymous"])
            late = bool(match["late"] or match["after"])
            found.append(_File(who, int(match["attachment"]), match["file"], late, entry))
        elif match := matched(_TYPED, entry.name):
            written[match["name"] or "", match["user"] or match["anonymous"]] = entry.name
        else:
            others += 1
    # Somebody has added folders to it, or some program has unpacked what students have packed, as macOS does.
    if not found or others > len(found) + len(written) or 2 * len(strange) > len(found):
        return None
    packed = {stem(entry.name) for entry in tree.files}
    for name, inner in folders.items():
        found += _unpacked(name, inner) if name not in packed and name not in strange else []
    texts = "1 text or address" if len(written) == 1 else f"{len(written)} texts or addresses"
    notes = [f"{tree.shown} has {texts} typed into Canvas; only files are taken."] if written else []
    grouped: dict[tuple[str, str], list[_File]] = {}
    handed = []
    for file in found:
        if _in_doubt(file, users):
            one = _handed(tree, file.who, [file], modules)
            name, ours = one_line(file.entry.name, 120), one_line(file.who[1], 20)
            one.maybe = [users[number] for number in (file.who[1], str(file.attachment)) if number in users]
            one.unclear = f"{name} can be read in two ways, as {ours}'s and as {file.attachment}'s"
            handed.append(one)
        else:
            grouped.setdefault(file.who, []).append(file)
    for (name, user), page in written.items():
        if (name, user) not in grouped:
            one = typed(name or user, beneath(tree.shown, page), "Canvas", user if name else "")
            one.anonymous = not name
            handed.append(one)
    return handed + [_handed(tree, who, files, modules) for who, files in grouped.items()], notes


def _unpacked(name: str, inner: Tree) -> list[_File]:
    """Return the files of an archive that was unpacked into a folder of its own name."""
    match = matched(_UPLOADED, name)
    assert match is not None
    who = (match["name"] or "", match["user"] or match["anonymous"])
    late = bool(match["late"] or match["after"])
    return [
        _File(who, int(match["attachment"]), "/".join((match["file"], *each.path)), late, each)
        for each in inner.entries
        if not each.folder
    ]


def named(name: str) -> bool:
    """Tell whether a name is one that Canvas gives."""
    return bool(matched(_UPLOADED, name) or matched(_TYPED, name))


def _in_doubt(file: _File, users: Collection[str]) -> bool:
    """Tell whether a name may be read in two ways, as a student makes it whose own name ends with another's number."""
    if not (_NUMBER_FIRST.fullmatch(file.name) and (stem(file.name) or file.name.endswith((SOURCE, NOTEBOOK)))):
        return False
    return not users or str(file.attachment) in users


def _handed(tree: Tree, who: tuple[str, str], files: list[_File], modules: Collection[str]) -> Handed:
    name, user = who
    number = max(file.attachment for file in files)  # by which Canvas finds the submission that a comment is for
    shown = beneath(tree.shown, f"{name}_{user}_{number}" if name else f"{user}_{number}")
    part = Part(name or user, shown, Tree(shown))
    handed = Handed(name or user, part, "" if user.startswith("anon_") else user, user.startswith("anon_"))
    if any(file.late for file in files):
        handed.notes.append("Canvas has marked it as late, and does not say by how much.")
    last: dict[str, _File] = {}
    for file in sorted(files, key=lambda each: each.attachment):
        meant = _AGAIN.sub("", file.name)
        called = meant if meant in modules else file.name
        if called in last and called in modules:
            handed.notes.append(
                f"{one_line(file.entry.name, 120)} was taken, which Canvas received after "
                f"{one_line(last[called].entry.name, 120)}."
            )
        elif called in last:
            called = f"{file.attachment}/{called}"
        last[called] = file
    assert part.tree is not None
    part.tree.entries = [
        Entry(tuple(called.split("/")), file.entry.read, file.entry.refused) for called, file in last.items()
    ]
    return handed


def owners(handed: Handed, people: People) -> list[Student]:
    """Return whose a submission is: by the user's number where the roster has Canvas's numbers, else by the name.

    Several have its name, or are members of its team.
    """
    named = people.named(handed.written)
    if not named and (members := people.members(handed.written)):
        return members
    if numbers := users(people.roster):
        student = numbers.get(handed.number)
        if student is not None and student not in named:
            handed.notes.append(
                f"Canvas calls it {one_line(handed.written, 60)}, and {handed.number} is {student.name or student.id}; "
                "if it is a team's, the roster needs a column that names everybody's group."
            )
        return [student] if student is not None else []
    own = [student for student in named if student.id == handed.number]
    return own or named


def users(roster: Roster) -> dict[str, Student]:
    """Return the students by Canvas's own numbers, where the roster has them."""
    return {number: student for student in roster.students if (number := roster.known_by(student).canvas)}
