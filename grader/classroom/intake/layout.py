"""Where in what was handed in the modules are: one submission or a whole class, and which folder of it counts."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from grader.files import reason
from grader.safe_text import one_line
from grader.submission import Submission, SubmissionError, module_files, resembles
from grader.syllabus import Syllabus

from .archives import NESTED, STUDENT, archive_tree, is_unreadable_kind, stem
from .trees import Entry, Tree, TreeError, beneath

MODULES_FOLDER = "exercises"
MAX_NESTING = 2  # an archive in an archive, as a class's export has them, and no deeper


@dataclass(frozen=True)
class Part:
    """One student's share of a class: a folder, or an archive that is not opened yet."""

    name: str  # of the folder or the archive, without its ending
    shown: str
    tree: Tree | None = None
    archive: Entry | None = None


def parts_of(tree: Tree) -> list[Part]:
    """Return the folders and archives that lie in the root of a tree, in the order of their names."""
    parts = [Part(name, below.shown, below) for name, below in tree.folders().items() if not name.startswith(".")]
    for entry in tree.files:
        shown = beneath(tree.shown, entry.name)
        if name := stem(entry.name):
            parts.append(Part(name, shown, archive=entry))
    return sorted(parts, key=lambda part: (part.name, part.shown))


def split(
    tree: Tree, name: str, syllabus: Syllabus, known: Callable[[str], bool], is_archive: bool, a_class: bool = False
) -> list[Part]:
    """Return the submissions in a tree: itself as the only one, or one for each folder and archive in it.

    `known` tells whether a name is somebody's on the roster; where that decides nothing, the names of folders do.
    `a_class` says that modules in the root make it nobody's own: they lie loose beside students' folders.
    """
    whole = Part(name, tree.shown, tree)
    parts = parts_of(tree)
    if known(name) or (has_modules(tree, syllabus) and not a_class):
        return [whole]
    if any(known(part.name) for part in parts):
        return parts
    filled = [part for part in parts if part.tree is None or holds_anything(part.tree, syllabus)]
    if len(filled) == 1 and (is_archive or len(parts) == 1):
        (part,) = filled
        inner = parts_of(part.tree) if part.tree else []
        if part.tree is None or has_modules(part.tree, syllabus):
            return [whole] if is_archive else [part]
        if any(known(each.name) for each in inner) or len(_with_modules(inner, syllabus)) > 1:
            return inner  # one folder around the whole class
        return [whole] if is_archive else [part]
    return parts or [whole]


def has_modules(tree: Tree, syllabus: Syllabus) -> bool:
    """Tell whether a tree is one submission as it stands: modules in its root, or in its folder `exercises`."""
    names = module_files(syllabus)
    near = ((), (MODULES_FOLDER,))
    return any(entry.name in names and entry.path[:-1] in near for entry in tree.entries)


def take_tree(tree: Tree, syllabus: Syllabus, nesting: int) -> tuple[Submission, str, list[str]]:
    """Take the one submission in a tree; return it, where it was found, and what was ignored.

    `nesting` is the number of archives that are open around the tree.
    Raises SubmissionError or TreeError when nothing of it can be graded; the text is one sentence.
    """
    if "" in tree.trouble:
        raise TreeError(tree.trouble[""])
    folders = folders_with_modules(tree, syllabus)
    archives = [entry for entry in tree.entries if stem(entry.name) and not entry.folder]
    if not folders and archives:
        return _take_nested(tree, archives, syllabus, nesting)
    folder = chosen_folder(tree, folders, syllabus)
    submission = tree.take(folder, syllabus)
    beside = [entry for entry in archives if entry.path[:-1] in ((), folder)]
    submission.unopened = any(may_hold_modules(entry, tree.shown, syllabus, nesting) for entry in beside)
    notes = [*tree.notes, *submission.notes]
    notes += [f"{beneath(tree.shown, *entry.path)} was not opened: modules lie beside it." for entry in archives[:3]]
    if others := [other for other in folders if other != folder and other[-1:] == (MODULES_FOLDER,)]:
        shown = ", ".join(beneath(tree.shown, *other) for other in others[:3])
        notes.append(f"The modules were taken from {beneath(tree.shown, *folder)}, not from {shown}.")
    return submission, beneath(tree.shown, *folder), notes


def take_archive(entry: Entry, shown: str, syllabus: Syllabus, nesting: int) -> tuple[Submission, str, list[str]]:
    """Take the one submission in an archive that lies in a folder or in another archive; see take_tree."""
    if nesting >= MAX_NESTING:
        raise TreeError(f"{shown} is not opened: it is an archive in an archive in an archive.")
    try:
        data = entry.content(NESTED)
    except ValueError as error:
        why = str(error).replace(", which no solution needs", "")
        raise TreeError(f"{shown} cannot be taken: {why}.") from error
    except OSError as error:
        raise TreeError(f"{shown} cannot be taken: {reason(error)}.") from error
    with ExitStack() as stack:  # closed as soon as it is read: a class has hundreds of them
        return take_tree(archive_tree(io.BytesIO(data), shown, STUDENT, stack), syllabus, nesting + 1)


def may_hold_modules(entry: Entry, shown: str, syllabus: Syllabus, nesting: int) -> bool:
    """Tell whether an archive holds modules, or cannot be read; one of data or pictures does not."""
    try:
        take_archive(entry, beneath(shown, *entry.path), syllabus, nesting)
    except SubmissionError:
        return False
    except TreeError:
        return True
    return True


def _take_nested(
    tree: Tree, archives: list[Entry], syllabus: Syllabus, nesting: int
) -> tuple[Submission, str, list[str]]:
    if len(archives) > 1:
        names = ", ".join(beneath(tree.shown, *entry.path) for entry in archives[:3])
        raise SubmissionError(f"{tree.shown} has {len(archives)} archives, and nothing says which counts: {names}.")
    shown = beneath(tree.shown, *archives[0].path)
    submission, origin, notes = take_archive(archives[0], shown, syllabus, nesting)
    return submission, origin, [*tree.notes, *notes]


def chosen_folder(tree: Tree, folders: list[tuple[str, ...]], syllabus: Syllabus) -> tuple[str, ...]:
    """Return the folder that counts: the only one with modules, or the outermost that is called `exercises`.

    With none, it is the folder to name as having none. Raises SubmissionError when several could be meant.
    """
    if len(folders) == 1:
        return folders[0]
    if not folders:
        return _nearest_miss(tree, syllabus)
    named = sorted((folder for folder in folders if folder[-1:] == (MODULES_FOLDER,)), key=len)
    if named and (len(named) == 1 or len(named[0]) < len(named[1])):
        return named[0]
    names = ", ".join(beneath(tree.shown, *folder) for folder in folders[:3])
    raise SubmissionError(
        f"{tree.shown} has modules in {len(folders)} folders, and nothing says which counts: {names}; "
        f"keep one of them, or call it {MODULES_FOLDER}."
    )


def _nearest_miss(tree: Tree, syllabus: Syllabus) -> tuple[str, ...]:
    """Return a folder without modules for the sentence about it: the one where a file resembles one, or the root."""
    if unread := [entry for entry in tree.entries if is_unreadable_kind(entry.name)]:
        shown = beneath(tree.shown, *unread[0].path)
        raise SubmissionError(f"{shown} is an archive of a kind that is not read; zip and tar are.")
    for entry in tree.entries:
        if resembles(entry.name, syllabus):
            return entry.path[:-1]
    if not tree.entries:
        raise SubmissionError(f"There is nothing in {one_line(tree.shown, 200)}.")
    return ()


def folders_with_modules(tree: Tree, syllabus: Syllabus) -> list[tuple[str, ...]]:
    """Return the folders in which a module's name is found, in order."""
    names = module_files(syllabus).keys()
    found = {entry.path[:-1] for entry in tree.entries if entry.name in names}
    # A folder that has a module's name is no folder of modules, whatever lies in it.
    return sorted(folder for folder in found if not names & set(folder))


def holds_anything(tree: Tree, syllabus: Syllabus) -> bool:
    """Tell whether a tree has modules, what resembles one, or an archive that may have some."""
    return bool(folders_with_modules(tree, syllabus)) or any(
        stem(entry.name) or resembles(entry.name, syllabus) for entry in tree.entries if not entry.folder
    )


def _with_modules(parts: list[Part], syllabus: Syllabus) -> list[Part]:
    return [part for part in parts if part.tree is None or holds_anything(part.tree, syllabus)]
