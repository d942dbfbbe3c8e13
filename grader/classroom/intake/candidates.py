"""What the sources of a class hold: one candidate for each submission, whose files are not read yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grader.classroom.book.standing import Student
from grader.files import open_regular, reason
from grader.safe_text import one_line
from grader.submission import Submission
from grader.syllabus import Syllabus

from .archives import CLASS, archive_tree, is_archive, is_unreadable_kind, stem
from .layout import Part, has_modules, may_hold_modules, parts_of, split, take_archive, take_tree
from .lms_exports import gradescope, gradescope_root, named_by_gradescope
from .loose import Loose, loose_in
from .platforms import whose
from .platforms.handed import Exported
from .roster import Ambiguous, Claim, Roster
from .trees import Tree, TreeError, beneath, folder_tree

WORKBOOKS = (".xlsx", ".xlsm", ".ods", ".xls")
LIST_SUFFIXES = (".csv", ".tsv", ".txt", ".list", "")
MOST = 20_000  # submissions in one source
_IS_AN_EXPORT = (
    "{} says who handed in what as a Gradescope export does, which is believed of what you have downloaded and name "
    "with --export"
)

_MAY_BE_A_DOWNLOAD = (
    "{0} is laid out as a platform's download, and in a class's folder it would be one student's; if it is a download, "
    "name {0} itself, or with --export; nothing of it was taken."
)
_MAY_BE_A_CLASS = (
    "{} holds modules beside archives ({}), so that it may be one student's or a class's: give a --roster, or put the "
    "modules into a folder that is named after whoever wrote them; nothing of it was taken."
)
_CANVAS_NAMES_IT = "submissions"  # its archive, and so the folder that is made of it


class CollectingError(Exception):
    """A source as a whole cannot be taken in, such as a path that is not there; the text is one sentence."""


class Unbelieved(Exception):
    """A source says who handed in what, and nobody has said that it is to be believed; the text is one sentence."""


class _Question(Exception):
    """What a source is can be read in two ways; the text is one sentence that asks."""


@dataclass(frozen=True)
class Source:
    """What the instructor names on the command line."""

    path: Path
    export: bool = False  # named as an LMS's export, or as the class's archive: what it says is believed
    alone: bool = True  # nothing else is named

    @property
    def shown(self) -> str:
        """As it is named to a person."""
        path = self.path
        return one_line(str(path.name or path), 120) if path.is_absolute() else one_line(str(path), 120)

    @property
    def name(self) -> str:
        """Whose it is if it is one student's: the folder's name, or the archive's without its ending."""
        return self.path.resolve().name if self.path.is_dir() else stem(self.path.name) or self.path.stem

    def is_list(self) -> bool:
        """Tell whether it is no folder and no archive but may be a list of repositories. Raises CollectingError."""
        path = self.path
        if path.is_dir():
            return False
        try:
            with open_regular(path, own=True) as file:
                archive = stem(path.name) is not None or is_archive(file)
        except FileNotFoundError:
            raise CollectingError(f"There is no folder, archive or list {one_line(str(path), 200)}.") from None
        except (OSError, ValueError) as error:
            why = reason(error)
            raise CollectingError(f"{one_line(str(path), 200)} cannot be read: {why}.") from error
        if path.suffix.lower() in WORKBOOKS:
            raise CollectingError(f"{self.shown} is a spreadsheet program's workbook; save it as CSV in UTF-8.")
        if not archive and is_unreadable_kind(path.name):
            raise CollectingError(f"{self.shown} is an archive of a kind that is not read; zip and tar are.")
        if not archive and path.suffix.lower() not in LIST_SUFFIXES:
            raise CollectingError(f"{self.shown} is no folder, no zip or tar archive, and no list of git repositories.")
        return not archive


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
    unclear: str = ""  # why whose it is cannot be told, in a sentence
    maybe: tuple[str, ...] = ()  # of whom it may be then, by id; none: of anybody
    fetched: bool = False  # from another machine: several may be read at the same time
    anonymous: bool = False  # the platform hides whose it is


def candidates_of(
    source: Source, syllabus: Syllabus, roster: Roster, stack: ExitStack, notes: list[str]
) -> list[Candidate]:
    """Return the submissions in a folder or an archive; `stack` closes the archive.

    Raises TreeError for what cannot be read, Unbelieved for an export that nobody has called one.
    """
    if source.path.is_dir():
        tree = folder_tree(source.path, source.shown)
    else:
        try:
            file = stack.enter_context(source.path.open("rb"))
        except OSError as error:
            raise TreeError(f"{source.shown} cannot be read: {reason(error)}.") from error
        tree = archive_tree(file, source.shown, CLASS, stack)
    try:
        found = _in_tree(tree, source, syllabus, roster, notes)
    except _Question as asked:
        refuse = partial(_refuse, str(asked))
        found = [Candidate(Claim(), Student(""), source.shown, refuse, unclear=str(asked))]
    if len(found) > MOST:
        raise TreeError(f"{source.shown} holds more than {MOST:,} submissions, which no class has.")
    return found


def _in_tree(tree: Tree, source: Source, syllabus: Syllabus, roster: Roster, notes: list[str]) -> list[Candidate]:
    known = partial(is_known, roster)
    nesting = 0 if source.path.is_dir() else 1
    # Somebody's own archive is never read as a class's export: it could bring metadata that names others.
    # Students' folders and archives make a class of the one folder that is named, were a module loose among them.
    its_own = source.alone and not nesting
    a_class = (its_own or source.export) and any(known(part.name) for part in parts_of(tree))
    _refuse_a_mixture(tree, source, syllabus, roster)
    own = not source.export and (known(source.name) or (has_modules(tree, syllabus) and not a_class))
    exported = None if own else _exported(tree, source, syllabus, roster, notes)
    if exported is not None:
        notes += tree.notes
        said, left = exported
        loose = loose_in(left, known, syllabus, of_a_download=True)
        notes += loose.notes
        return [_of_export(each, syllabus, nesting) for each in said] + _of_loose(loose)
    one = own or (nesting and not (source.export or source.alone))
    whole = Part(source.name, tree.shown, tree)
    parts = split(tree, source.name, syllabus, known, is_archive=nesting > 0, a_class=a_class)
    if one and len(parts) > 1:
        whole_class = "if it holds a class, name it with --export"
        notes.append(f"{tree.shown.rstrip('!')} is taken for one student's; {whole_class}.")
    alone = len(parts) == 1 and parts[0].tree is tree and has_modules(tree, syllabus)
    loose = Loose() if one or alone else loose_in(_class_tree(tree, parts), known, syllabus)
    if len(parts) == 1 and parts[0].tree is tree and (loose.unread or loose.work):
        parts = []  # nothing lies there but what lies loose
    if one or (len(parts) == 1 and parts[0].tree is tree):
        parts = [whole]
        if not tree.entries:
            raise TreeError(f"There is nothing in {tree.shown.rstrip('!')}.")
    else:
        notes += tree.notes + loose.notes
    found = [_of_part(part, Claim(part.name), Student(part.name), syllabus, nesting) for part in parts]
    return found + _of_loose(loose)


def _refuse_a_mixture(tree: Tree, source: Source, syllabus: Syllabus, roster: Roster) -> None:
    """Raise a question for modules beside archives where nobody says whether that is one student's or a class's."""
    if roster.students or not (source.alone or source.export) or not has_modules(tree, syllabus):
        return
    nesting = 0 if source.path.is_dir() else 1
    archives = [
        entry.name
        for entry in tree.files
        if stem(entry.name) and may_hold_modules(entry, tree.shown, syllabus, nesting)
    ]
    if archives:
        raise _Question(_MAY_BE_A_CLASS.format(source.shown, ", ".join(one_line(name, 60) for name in archives[:3])))


def _class_tree(tree: Tree, parts: list[Part]) -> Tree:
    """Return the folder that the parts lie in: the tree, or the only folder in it."""
    folders = list(tree.folders().values())
    inner = len(folders) == 1 and not tree.files and parts and parts[0].shown.startswith(f"{folders[0].shown}/")
    return folders[0] if inner else tree


def _of_loose(loose: Loose) -> list[Candidate]:
    found = []
    for name, shown in loose.unread:
        problem = f"{shown} is an archive of a kind that is not read; zip and tar are."
        found.append(Candidate(Claim(name), Student(name), shown, partial(_refuse, problem)))
    if loose.unclear:
        found.append(
            Candidate(
                Claim(),
                Student(""),
                (loose.foreign or loose.work)[0],
                partial(_refuse, loose.unclear),
                unclear=loose.unclear,
            )
        )
    return found


def _refuse(sentence: str) -> Taken:
    raise TreeError(sentence)


def _exported(
    tree: Tree, source: Source, syllabus: Syllabus, roster: Roster, notes: list[str]
) -> tuple[list[Exported], Tree] | None:
    """Return what an export says, where it is one and is to be believed, and what in it is of no scheme."""
    root = gradescope_root(tree)
    if root is not None:
        if source.export or (source.alone and named_by_gradescope(source.name)):
            return gradescope(root), Tree(root.shown)
        if root is tree or not source.path.is_dir():
            raise Unbelieved(f"{_IS_AN_EXPORT.format(source.shown)}; nothing of it was taken.")
        # The only folder of a class may be a student's own, whatever lies in it.
        notes.append(f"{_IS_AN_EXPORT.format(root.shown)}; it is taken for one student's.")
    believed = source.export or source.alone or source.path.is_dir()
    if not believed:
        return None
    # In an archive the download may have a folder around it; in a class's folder that would be a student's own, but for
    # the one that a program makes of the archive's name.
    folders = tree.folders()
    inside = source.export or not source.path.is_dir() or not folders.keys() - {source.name, _CANVAS_NAMES_IT}
    inside = inside and not any(is_known(roster, name) for name in folders)
    found = whose.exported(tree, source.name, syllabus, roster, notes, inside)
    if found is None and not inside and not any(is_known(roster, name) for name in folders):
        within = whose.exported(tree, source.name, syllabus, roster, [], True)
        if within is not None and len({each.part.shown for each in within[0]}) > 1:
            (name,) = folders
            raise _Question(_MAY_BE_A_DOWNLOAD.format(beneath(source.shown, name)))
    return found


def is_known(roster: Roster, word: str) -> bool:
    """Tell whether a name is somebody's on the roster, were it two people's, or a group's."""
    try:
        return roster.find(Claim(word)) is not None or bool(roster.members(word))
    except Ambiguous:
        return True


def _of_part(part: Part, claim: Claim, stranger: Student, syllabus: Syllabus, nesting: int) -> Candidate:
    def take() -> Taken:
        if part.tree is not None:
            return Taken(*take_tree(part.tree, syllabus, nesting))
        assert part.archive is not None
        return Taken(*take_archive(part.archive, part.shown, syllabus, nesting))

    return Candidate(claim, stranger, part.shown, take)


def _of_export(each: Exported, syllabus: Syllabus, nesting: int) -> Candidate:
    candidate = _of_part(each.part, each.claim, each.student, syllabus, nesting)
    candidate.handed_in, candidate.notes = each.handed_in, [one_line(note, 300) for note in each.notes]
    candidate.unclear, candidate.maybe, candidate.anonymous = each.unclear, each.maybe, each.anonymous
    if each.problem:
        candidate.take = partial(_refuse, each.problem)
    return candidate
