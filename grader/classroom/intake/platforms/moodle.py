"""Moodle's "Download all submissions": `NAME_NUMBER_assignsubmission_file`, as a folder or before each file's own name.

The name is a student's in the order of the site's setting, a team's, or the word for a participant where marking is
blind; until Moodle 3.0 a group's name and a hyphen may stand before it. Who hands in for a team without being in one is
in the "Default group", which has no number.

Source: moodle 4.1 to 5.1, mod/assign/classes/downloader.php, get_student_prefix and load_submissionplugin_filelist;
before it mod/assign/locallib.php, download_submissions.
"""

from __future__ import annotations

import re
from collections import Counter

from grader.classroom.book.standing import Student
from grader.safe_text import one_line

from ..layout import Part
from ..roster import Ambiguous, Claim, folded
from ..trees import Entry, Tree, beneath
from .handed import Handed, matched, typed
from .names import People

_FILE = re.compile(r"([^_]+)(?:_(\d+))?_assignsubmission_file(?:_(.*))?", re.DOTALL)
_TEXT = re.compile(r"([^_]+)(?:_(\d+))?_assignsubmission_onlinetext(?:_.*)?", re.DOTALL)
_PARTICIPANT = "participant"


def submissions(tree: Tree) -> tuple[list[Handed], list[str]] | None:
    """Return the submissions of a Moodle download and what there is to say about it, or None when it is none."""
    grouped: dict[tuple[str, str], list[Entry]] = {}
    written: dict[tuple[str, str], str] = {}
    for entry in tree.entries:
        found = matched(_FILE, entry.path[0])
        if (text := matched(_TEXT, entry.path[0])) and (len(entry.path) > 1 or not entry.folder):
            written[text[1].strip(), text[2] or ""] = entry.path[0]
        if not found:
            continue
        name, number, file = found.groups()
        path = ((file,) if file else ()) + entry.path[1:]
        entries = grouped.setdefault((name.strip(), number or ""), [])
        if path:
            entries.append(Entry(path, entry.read, entry.refused, entry.folder))
    if not grouped:
        return None
    texts = "1 text" if len(written) == 1 else f"{len(written)} texts"
    notes = [f"{tree.shown} has {texts} typed into Moodle; only files are taken."] if written else []
    handed = [
        typed(name, beneath(tree.shown, shown), "Moodle", number)
        for (name, number), shown in written.items()
        if (name, number) not in grouped and number
    ]
    for (name, number), entries in grouped.items():
        top = f"{name}_{number}" if number else name
        shown = beneath(tree.shown, f"{top}_assignsubmission_file_")
        incomplete = [text for part, text in tree.trouble.items() if part.startswith(f"{top}_")]
        part = Part(name, shown, Tree(shown, entries, trouble={"": incomplete[0]} if incomplete else {}))
        one = Handed(name, part, number)
        if not number:
            one.unclear = (
                f"{one_line(name, 60)} is what Moodle calls the work of those who are in no group; hand it in for them "
                "in folders named after them"
            )
        handed.append(one)
    return handed, notes


def named(name: str) -> bool:
    """Tell whether a name is one that Moodle gives."""
    return bool(matched(_FILE, name) or matched(_TEXT, name))


def hide_the_hidden(handed: list[Handed], people: People) -> None:
    """Mark submissions of a blind marking: all have one name, in the site's language, and it is nobody's."""
    names = Counter(folded(each.written) for each in handed if each.number)
    for each in handed:
        word = folded(each.written)
        alone = len(names) == 1 and names[word] > 1 and people.roster.students and not people.named(each.written)
        if each.number and (word == _PARTICIPANT or alone) and not people.members(each.written):
            each.anonymous = True


def owners(handed: Handed, people: People, teams: bool) -> list[Student]:
    """Return whose a submission is; several have its name, or are members of its team.

    `teams` says that nobody of the class has the name of any submission, so that the names are those of teams.
    """
    if teams and (members := people.members(handed.written)):
        return members
    exact = _found(people, handed.written)
    if exact is not None:
        return exact
    if named := people.named(handed.written):
        return named
    # A group's name may stand before the student's; only a whole name after one of the hyphens counts.
    behind = [found for name in without_group(handed.written) if (found := _found(people, name) or people.named(name))]
    return behind[0] if len(behind) == 1 else []


def _found(people: People, name: str) -> list[Student] | None:
    try:
        student = people.roster.find(Claim(name=name))
    except Ambiguous:
        return [student for student in people.roster.students if folded(student.name) == folded(name)]
    return None if student is None else [student]


def are_teams(handed: list[Handed], people: People) -> bool:
    """Tell whether the submissions are teams': some name is a group's, and none is a student's.

    Where one is, what bears a group's name is nobody's: a student may have taken it. What is of no group may be of
    anybody who is in none.
    """
    in_none = [student for student in people.roster.students if not people.roster.known_by(student).groups]
    for each in handed:
        if not each.number and len(in_none) < len(people.roster.students):
            each.maybe = in_none
    groups = [each for each in handed if each.number and people.members(each.written)]
    persons = [each for each in handed if each.number and owners(each, people, teams=False)] if groups else []
    for each in groups if persons else []:
        if each not in persons:
            each.maybe = people.members(each.written)
            each.unclear = (
                f"it has a group's name, and {one_line(persons[0].written, 60)} is a student's: a team's work is taken "
                "for its members only where all of an export is teams'"
            )
    return bool(groups) and not persons


def without_group(name: str) -> list[str]:
    """Return what a Moodle name may be without the group in front of it: "Group 1-Anna-Lena Lee" -> two names."""
    pieces = name.split("-")
    return ["-".join(pieces[start:]).strip() for start in range(1, len(pieces))]
