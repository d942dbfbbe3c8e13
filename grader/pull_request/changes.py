"""What differs between the commits of a pull request where it counts: in the root and in the folder of the exercises.

Folders below are named and not listed. What a merge, or a checkout on another machine, would make of a module counts
as well: a pull request may not pass for one file and hand in another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from grader.classroom.intake.git_trees import FILE, FOLDER, KINDS, PROGRAM, Store, TreeEntry, folded
from grader.safe_text import one_line, without_ci_commands
from grader.submission import module_files, resembles
from grader.syllabus import Syllabus

EXERCISES = "exercises"
NAMED = 5  # paths in one sentence; the rest is counted
ATTRIBUTES = ".gitattributes"
ABSENT = "000000"


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits: in the root, or in the folder of the exercises and no deeper."""

    path: str  # bytes that are no UTF-8 as lone surrogates
    old_mode: str  # "000000" where it is not there
    new_mode: str


def changed_paths(store: Store, old: str, new: str) -> list[Change]:
    """Return what differs between two commits in the root and in the folder of the exercises; nothing below is listed.

    Raises GitError for a commit or folder that is too large, or that no git would have made.
    """
    found = _differences("", {e.name: e for e in store.folder(old)}, {e.name: e for e in store.folder(new)})
    whole = Change(EXERCISES, FOLDER, FOLDER)
    if whole in found:
        found.remove(whole)
        found += _differences(f"{EXERCISES}/", _exercises(store, old), _exercises(store, new))
    return found


def _differences(where: str, old: dict[str, TreeEntry], new: dict[str, TreeEntry]) -> list[Change]:
    found = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            found.append(Change(where + name, before.mode if before else ABSENT, after.mode if after else ABSENT))
    return found


def modules_of(store: Store, commit: str) -> dict[str, str]:
    """Return the files in the folder of the exercises by name, each as the id of its content."""
    return {name: entry.oid for name, entry in _exercises(store, commit).items() if not entry.unusual}


def _exercises(store: Store, commit: str) -> dict[str, TreeEntry]:
    """Return what lies in the folder of the exercises; nothing where there is none."""
    if not any(entry.name == EXERCISES and entry.is_folder for entry in store.folder(commit)):
        return {}
    return {entry.name: entry for entry in store.folder(commit, EXERCISES)}


def twins(changes: Iterable[Change], modules: dict[str, str]) -> dict[str, str]:
    """Return module -> a file that the pull request lays beside it and that many file systems take for the same."""
    found = {}
    files = {folded(path): module for path, module in modules.items()}
    for change in changes:
        module = files.get(folded(change.path))
        if module and change.path not in modules and change.new_mode != ABSENT:
            found[module] = change.path
    return found


def is_attributes(path: str) -> bool:
    """Tell whether a path is one of the two files by which git changes modules while it checks them out."""
    folder, _, name = path.rpartition("/")
    return folder in ("", EXERCISES) and folded(name) == ATTRIBUTES


def is_folders_twin(change: Change) -> bool:
    """Tell whether it lays something beside the folder of the exercises that many file systems take for it."""
    return change.path != EXERCISES and folded(change.path) == EXERCISES and change.new_mode != ABSENT


def notes(changes: list[Change], course: Syllabus) -> list[str]:
    """Say in one sentence each what of these changes was not taken.

    What is wrong with a module, and what resembles one, the submission itself says.
    """
    said: list[str] = []
    beside: list[Change] = []
    foreign: list[Change] = []
    outside: list[Change] = []
    modules = {f"{EXERCISES}/{file}" for file in module_files(course)}
    for change in changes:
        folder, _, name = change.path.partition("/")
        if change.path in modules:
            if (change.old_mode, change.new_mode) == (FILE, PROGRAM):
                said.append(f"{change.path} was made executable, which changes nothing: it is read and never run.")
        elif folder == EXERCISES:
            if not resembles(name, course):
                beside.append(change)
        elif _likeness(folder) == EXERCISES:
            foreign.append(change)
        else:
            outside.append(change)
    if beside:
        said.append(f"Not taken, since only the course's modules are: {_list(beside)}.")
    if foreign:
        said.append(f"Not taken, since the folder only looks like {EXERCISES}: {_list(foreign)}.")
    if outside:
        said.append(
            f"Not used, since grader, fixtures and workflow are the base's own: {_list(outside)}. "
            "Look at them before you merge."
        )
    if any(is_attributes(change.path) for change in changes):
        said.append(
            f"It changes {ATTRIBUTES}, by which git may check out other bytes of a module than the grader reads."
        )
    return said


def shown(name: str) -> str:
    """Return a name from a repository as it may stand in a sentence, in a report or a log."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return without_ci_commands(one_line(text, 100))


def _likeness(name: str) -> str:
    """Return what a name looks like: full-width letters, another case and invisible characters make no difference."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"\s", "", "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn", "Cc")))


def _list(changes: list[Change]) -> str:
    named = ", ".join(_named(change) for change in changes[:NAMED])
    return named if len(changes) <= NAMED else f"{named} and {len(changes) - NAMED:,} more"


def _named(change: Change) -> str:
    mode = change.old_mode if change.new_mode == ABSENT else change.new_mode
    if mode == FOLDER:
        return f"{shown(change.path)}/"
    kind = KINDS.get(change.new_mode)
    return f"{shown(change.path)} ({kind})" if kind else shown(change.path)
