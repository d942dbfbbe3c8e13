"""A platform's download as one submission for each student: by which scheme it is named, and who that is.

With a roster a name is looked up in the letters that the platform leaves of it. Nothing is guessed: whose name is not
the whole of somebody's is a stranger's, and one that fits two people is nobody's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from grader.classroom.book.standing import Student
from grader.safe_text import one_line
from grader.submission import module_files
from grader.syllabus import Syllabus

from ..groups import HANDED_IN
from ..layout import parts_of
from ..roster import Claim, Roster, folded
from ..trees import Tree
from . import blackboard, brightspace, canvas, clones, moodle
from .handed import Exported, Handed
from .names import People, as_canvas_writes, as_moodle_writes

Owners = Callable[[Handed], list[Student]]


def exported(
    tree: Tree, folder: str, syllabus: Syllabus, roster: Roster, notes: list[str], inside: bool
) -> tuple[list[Exported], Tree] | None:
    """Return the submissions of a download, one for each student, and what lies beside them under other names.

    None when it is named by no platform's scheme.

    `folder` is what the tree's own folder is called. `inside` says that the only folder in it may be the download, and
    not a student's own, whatever lies in that.
    """
    found = _in(tree, folder, syllabus, roster, notes)
    folders = tree.folders()
    if found is None and inside and len(folders) == 1 and not tree.files:
        ((name, inner),) = folders.items()
        found = _in(inner, name, syllabus, roster, notes)
    return found


def _in(
    tree: Tree, folder: str, syllabus: Syllabus, roster: Roster, notes: list[str]
) -> tuple[list[Exported], Tree] | None:
    words = People(roster, as_moodle_writes)
    if read := moodle.submissions(tree):
        handed, said = read
        notes += said
        moodle.hide_the_hidden(handed, words)
        teams = moodle.are_teams(handed, words)
        found = _each(handed, words, lambda each: moodle.owners(each, words, teams), _by_name)
        return found, _left(tree, moodle.named)
    if read := blackboard.submissions(tree, words):
        found = _each(read[0], words, lambda each: blackboard.owners(each.written, words), _by_word)
        return found, _left(tree, blackboard.named)
    if read := brightspace.submissions(tree):
        found = _each(read[0], words, lambda each: brightspace.owners(each, words), _by_word)
        return found, _left(tree, brightspace.named)
    modules = module_files(syllabus)
    if read := canvas.submissions(tree, modules, canvas.users(roster)):
        handed, said = read
        notes += said
        letters = People(roster, as_canvas_writes)
        found = _each(handed, letters, lambda each: canvas.owners(each, letters), _by_number)
        return found, _left(tree, canvas.named)
    if cloned := clones.submissions(parts_of(tree), folder, words):
        found = _each(cloned, words, lambda each: clones.owners(each, words), _by_word)
        return found, _left(tree, {each.part.name for each in cloned}.__contains__)
    return None


def _left(tree: Tree, named: Callable[[str], bool]) -> Tree:
    """Return what of a download has no name that its platform gives: somebody has put it there."""
    return Tree(tree.shown, [entry for entry in tree.entries if not named(entry.path[0])])


def _each(
    handed: list[Handed], people: People, owners: Owners, stranger: Callable[[Handed, bool], tuple[Claim, Student]]
) -> list[Exported]:
    """Return one export for each owner of each submission."""
    alike = Counter(folded(each.written) for each in handed)
    found: list[Exported] = []
    for each in handed:
        found += _of(each, people, owners, stranger, alike[folded(each.written)] > 1)
    return found


def _of(
    each: Handed,
    people: People,
    owners: Owners,
    stranger: Callable[[Handed, bool], tuple[Claim, Student]],
    alike: bool,
) -> Iterator[Exported]:
    one = Exported(*stranger(each, alike), each.part, notes=each.notes, anonymous=each.anonymous)
    if each.unclear:
        maybe = tuple(student.id for student in each.maybe)
        yield replace(one, unclear=f"Whose {each.part.shown} is cannot be told: {each.unclear}.", maybe=maybe)
        return
    students = [] if each.anonymous else owners(each)
    team = len(students) > 1 and students == people.members(each.written)
    if len(students) > 1 and not team:
        who = " and ".join(f"{student.name} ({student.id})" for student in students[:3])
        why = f"{one_line(each.written, 80)} may be {who}; name it by the student's id."
        maybe = tuple(student.id for student in students)
        yield replace(one, unclear=f"Whose {each.part.shown} is cannot be told: {why}", maybe=maybe)
        return
    if not students:
        yield one
    for student in students:
        claim = Claim("", student.id, student.email, student.name)
        together = [other.name or other.id for other in students if other is not student]
        group = f"{HANDED_IN} {one_line(each.written, 60)}, with {', '.join(together)}."
        yield replace(one, claim=claim, student=student, notes=[*each.notes, *([group] if together else [])])


def _by_name(each: Handed, alike: bool) -> tuple[Claim, Student]:
    """Return a stranger by name; two people of one name have two numbers, which change with each assignment."""
    if each.anonymous:
        return _by_word(Handed(f"{each.written} {each.number}", each.part), alike)
    return Claim(name=each.written), Student(f"{each.written} ({each.number})" if alike else each.written, each.written)


def _by_word(each: Handed, alike: bool) -> tuple[Claim, Student]:
    """Return a stranger by what stands in the place of a name."""
    written = f"{each.written} ({each.number})" if alike and each.number else each.written
    return Claim(written), Student(written)


def _by_number(each: Handed, alike: bool) -> tuple[Claim, Student]:
    """Return a stranger by the platform's own number, which a user keeps in all assignments."""
    if each.anonymous:
        return _by_word(each, alike)
    return Claim(id=each.number, name=each.written), Student(each.number, each.written)
