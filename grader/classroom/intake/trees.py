"""What was handed in, as a tree of names: the same for a folder, an archive and a commit."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grader.files import not_regular, reason
from grader.safe_text import one_line
from grader.submission import Submission, read_regular, take
from grader.syllabus import Syllabus

ENTRIES = 50_000  # names in one submission: a repository with its history and its environment is left well below
DEPTH = 12  # folders in folders
# Left by systems, editors and tools; what they hold is nobody's work.
JUNK = {
    "__MACOSX",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".git",
    ".hg",
    ".svn",
    ".idea",
    ".vscode",
    ".venv",
    "venv",
    ".nox",
    ".tox",
    "site-packages",
    "node_modules",
    "__pycache__",
    ".ipynb_checkpoints",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
}


class TreeError(Exception):
    """A folder or an archive cannot be read; the text is one sentence."""


@dataclass(frozen=True)
class Entry:
    """One file or folder by its path below the tree's root."""

    path: tuple[str, ...]
    read: Callable[[int], bytes] | None = None  # at most so many bytes; raises OSError or ValueError
    refused: str = ""  # why it is never read, as the second half of a sentence
    folder: bool = False

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path[-1]

    def content(self, limit: int) -> bytes:
        """Return the file's bytes. Raises ValueError when refused or larger than `limit`, OSError when unreadable."""
        if self.refused or self.read is None:
            raise ValueError(self.refused or not_regular(stat.S_IFDIR))
        return self.read(limit)


@dataclass
class Tree:
    """A folder with everything below it."""

    shown: str  # as it is named to a person: "week4.zip!anna"
    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # one sentence each
    trouble: dict[str, str] = field(default_factory=dict)  # a name at the top -> why what is below it is incomplete

    @property
    def files(self) -> list[Entry]:
        """What lies directly in the root and is no folder."""
        return [entry for entry in self.entries if len(entry.path) == 1 and not entry.folder]

    def folders(self) -> dict[str, Tree]:
        """Return the root's folders by name, each as a tree of its own."""
        found: dict[str, Tree] = {}
        for entry in self.entries:
            if len(entry.path) > 1 or entry.folder:
                name = entry.path[0]
                if (below := found.get(name)) is None:
                    below = found[name] = Tree(beneath(self.shown, name))
                    below.trouble = {"": self.trouble[name]} if name in self.trouble else {}
                if len(entry.path) > 1:
                    below.entries.append(Entry(entry.path[1:], entry.read, entry.refused, entry.folder))
        return dict(sorted(found.items()))

    def by_folder(self) -> dict[tuple[str, ...], dict[str, list[Entry]]]:
        """Return folder -> name -> what has that name in it; more than one in an archive, at times."""
        found: dict[tuple[str, ...], dict[str, list[Entry]]] = {}
        for entry in self.entries:
            found.setdefault(entry.path[:-1], {}).setdefault(entry.name, []).append(entry)
        return found

    def take(self, folder: tuple[str, ...], syllabus: Syllabus) -> Submission:
        """Take the modules in one folder of the tree. Raises SubmissionError when none is there."""
        names = self.by_folder().get(folder, {})
        inner = {
            entry.path[len(folder)]
            for entry in self.entries
            if len(entry.path) > len(folder) + 1 and entry.path[: len(folder)] == folder
        }

        def read(file: str, limit: int) -> bytes:
            entries = names.get(file, [])
            if file in inner:
                raise ValueError(not_regular(stat.S_IFDIR))
            if not entries:
                raise FileNotFoundError(file)
            if len(entries) > 1:
                raise ValueError(f"it is there {len(entries)} times, and nothing says which is meant")
            return entries[0].content(limit)

        return take(beneath(self.shown, *folder), syllabus, read, names)


def beneath(shown: str, *parts: str) -> str:
    """Return how a path below something shown is shown; names are hostile and come out on one line."""
    for part in parts:
        shown += ("" if shown.endswith("!") else "/") + one_line(part, 80)
    return shown


def is_junk(path: Iterable[str]) -> bool:
    """Tell whether some part of a path is what systems, editors and tools leave behind."""
    return any(part in JUNK or part.startswith("._") for part in path)


def folder_tree(folder: Path, shown: str) -> Tree:
    """Return the tree of a folder on this machine; no link is followed.

    Each folder in it has a limit of its own, so that one that holds too much leaves the others alone.
    Raises TreeError when the folder itself cannot be listed.
    """
    tree = Tree(shown)
    for item in _listed(folder, shown):
        if is_junk([item.name]):
            continue
        entry, is_folder = _entry(item, ())
        tree.entries.append(entry)
        if is_folder:
            try:
                for count, below in enumerate(_walk(Path(item.path), (item.name,), beneath(shown, item.name))):
                    if count >= ENTRIES:
                        raise TreeError(f"{beneath(shown, item.name)} holds more than {ENTRIES:,} files.")
                    tree.entries.append(below)
            except TreeError as error:
                tree.trouble[item.name] = str(error)
    return tree


def _walk(folder: Path, path: tuple[str, ...], shown: str) -> Iterator[Entry]:
    if len(path) > DEPTH:
        return
    for item in _listed(folder, shown):
        if not is_junk([item.name]):
            entry, is_folder = _entry(item, path)
            yield entry
            if is_folder:
                yield from _walk(Path(item.path), entry.path, beneath(shown, item.name))


def _listed(folder: Path, shown: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda item: item.name)
    except OSError as error:
        raise TreeError(f"The folder {shown} cannot be read: {reason(error)}.") from error


def _entry(item: os.DirEntry[str], path: tuple[str, ...]) -> tuple[Entry, bool]:
    mode = item.stat(follow_symlinks=False).st_mode
    where, whole = Path(item.path), (*path, item.name)
    if stat.S_ISDIR(mode):
        return Entry(whole, folder=True), True
    if not stat.S_ISREG(mode):
        return Entry(whole, refused=not_regular(mode)), False
    return Entry(whole, lambda limit: read_regular(where, limit)), False
