"""The one careful reader of git's commits and folders: sizes first, then bytes, each read by rules of its own.

Git takes what it finds: of two entries of one name `git ls-tree` shows both, one reader takes the first and a checkout
the last. So trees and commits are read here as they are stored, and one that no git would have made is refused.
Nothing is listed recursively: a few trees that name each other often are paths without end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from grader.safe_text import one_line

from .git_process import GitError, run_git

FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
LARGEST_COMMIT = 1024 * 1024  # bytes: its message, its signatures
LARGEST_TREE = 2 * 1024 * 1024  # bytes of one folder's list: about 50,000 names
LARGEST_LEVEL = 4 * 1024 * 1024  # bytes of the lists of all folders that are read at once
LONGEST_NAME = 1024  # bytes: no file system that we know holds a longer one
LONGEST_PATHS = 8 * 1024 * 1024  # letters of all paths of a commit together
FILE, PROGRAM, LINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "40000"
KINDS = {LINK: "a symbolic link", SUBMODULE: "a submodule", FOLDER: "a folder"}
_MODES = {mode.encode(): mode for mode in (FILE, PROGRAM, LINK, SUBMODULE, FOLDER)}


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a folder of a commit."""

    mode: str  # "100644"
    oid: str
    name: str  # bytes that are no UTF-8 come as lone surrogates, as from the file system

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of the commit itself, not a link or a submodule."""
        return self.mode == FOLDER

    @property
    def unusual(self) -> str:
        """What it is, if it is no regular file: "a symbolic link"."""
        return KINDS.get(self.mode, "")


@dataclass(frozen=True)
class Commit:
    """What a commit names."""

    tree: str
    parents: tuple[str, ...]


class Store:
    """The objects of one repository. What is read must be small, whole, and of the kind that it was taken for."""

    def __init__(self, repo: Path) -> None:
        self.repo = repo
        self._trees: dict[str, list[TreeEntry]] = {}
        self._roots: dict[str, str] = {}

    def sizes(self, oids: Iterable[str], about: str = "") -> dict[str, tuple[str, int]]:
        """Return the kind and the size in bytes of each object that is there; no content is read."""
        asked = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode()
        if not asked:
            return {}
        answer = run_git(self.repo, "cat-file", "--batch-check", given=asked, about=about).decode("ascii", "replace")
        fields = [line.split() for line in answer.splitlines()]
        return {field[0]: (field[1], int(field[2])) for field in fields if len(field) == 3}

    def contents(self, sizes: dict[str, tuple[str, int]]) -> dict[str, bytes]:
        """Return the contents of objects of which kind and size are known, and small."""
        if not sizes:
            return {}
        asked = "".join(f"{oid}\n" for oid in sizes).encode()
        limit = sum(size + 200 for _, size in sizes.values())
        answer = run_git(self.repo, "cat-file", "--batch", given=asked, limit=limit)
        found, at = {}, 0
        for oid, (kind, size) in sizes.items():
            head = f"{oid} {kind} {size}\n".encode()
            if not answer.startswith(head, at):
                raise GitError(f"The object {oid[:12]} cannot be read.")
            at += len(head)
            found[oid] = answer[at : at + size]
            at += size + 1
        return found

    def root(self, commit: str) -> str:
        """Return the tree of a commit, which is named by its full id. Raises GitError when it cannot be read."""
        if not FULL_SHA.fullmatch(commit):
            raise GitError(f"{one_line(commit, 80)!r} is no full commit id of 40 hexadecimal digits.")
        if commit not in self._roots:
            raw = self._whole([commit], "commit", LARGEST_COMMIT, f"commit {commit[:12]}")[commit]
            try:
                self._roots[commit] = parse_commit(raw, len(commit)).tree
            except ValueError as error:
                raise GitError(f"Commit {commit[:12]} is not read: {error}.") from None
        return self._roots[commit]

    def folder(self, commit: str, folder: str = "") -> list[TreeEntry]:
        """Return what lies in a folder of a commit ("" is its root), in git's order.

        Raises GitError when the commit or the folder is not there, a link or submodule lies in its place, or one of
        the folders on the way is no proper one.
        """
        entries, passed = self.tree(self.root(commit), f"the root of commit {commit[:12]}"), ""
        for part in [part for part in folder.split("/") if part]:
            passed = f"{passed}/{part}" if passed else part
            found = next((entry for entry in entries if entry.name == part), None)
            if found is None:
                alike = [entry.name for entry in entries if entry.name.casefold() == part.casefold()]
                instead = f"; {one_line(alike[0], 80)} is not it" if alike else ""
                raise GitError(f"Commit {commit[:12]} has no folder {one_line(passed, 80)}{instead}.")
            if not found.is_folder:
                kind = found.unusual or "a file"
                raise GitError(f"In commit {commit[:12]}, {one_line(passed, 80)} is {kind}, not a folder.")
            entries = self.tree(found.oid, f"the folder {one_line(passed, 80)} of commit {commit[:12]}")
        return entries

    def tree(self, oid: str, about: str) -> list[TreeEntry]:
        """Return the entries of one tree. Raises GitError when it is not there, too large or no proper one."""
        return self.trees([oid], about)[oid]

    def trees(self, oids: Iterable[str], about: str) -> dict[str, list[TreeEntry]]:
        """Return the entries of some trees, each of which is read once."""
        wanted = list(dict.fromkeys(oids))
        unread = [oid for oid in wanted if oid not in self._trees]
        for oid, raw in self._whole(unread, "tree", LARGEST_TREE, about).items():
            try:
                self._trees[oid] = parse_tree(raw, len(oid) // 2)
            except ValueError as error:
                raise GitError(f"{about[:1].upper()}{about[1:]} is not read: {error}.") from None
        return {oid: self._trees[oid] for oid in wanted}

    def paths(self, commit: str, most: int, depth: int, skipped: Iterable[str] = ()) -> list[str]:
        """Return the path of every file, link and submodule of a commit; folders with a skipped name are left out.

        It goes down folder by folder, and ends with a GitError at more than `most` names, however few trees they are
        made of; what lies deeper than `depth` folders is not looked for.
        """
        shown, skipped = f"commit {commit[:12]}", frozenset(skipped)
        found: list[str] = []
        names = letters = 0
        level = [("", self.root(commit))]
        while level and depth >= 0:
            trees = self.trees([oid for _, oid in level], f"a folder of {shown}")
            below: list[tuple[str, str]] = []
            for folder, oid in level:
                names += len(trees[oid])
                letters += sum(len(folder) + len(entry.name) for entry in trees[oid])
                if names > most or letters > LONGEST_PATHS:
                    raise GitError(f"Reading {shown} was stopped: it holds more than {most:,} names, or endless ones.")
                found += [folder + entry.name for entry in trees[oid] if not entry.is_folder]
                deeper = [entry for entry in trees[oid] if entry.is_folder and entry.name not in skipped]
                below += [(f"{folder}{entry.name}/", entry.oid) for entry in deeper]
            level, depth = below, depth - 1
        return found

    def _whole(self, oids: list[str], kind: str, most: int, about: str) -> dict[str, bytes]:
        sizes = self.sizes(oids, about)
        for oid in oids:
            if oid not in sizes:
                raise GitError(f"Git cannot read {about}: it is not in the repository.")
            if sizes[oid][0] != kind:
                raise GitError(f"Git cannot read {about}: the object {oid[:12]} is no {kind}.")
            if sizes[oid][1] > most:
                raise GitError(f"Reading {about} was stopped: it holds more than {most:,} bytes.")
        if sum(size for _, size in sizes.values()) > max(most, LARGEST_LEVEL):
            raise GitError(f"Reading {about} was stopped: it and its like hold more than {LARGEST_LEVEL:,} bytes.")
        return self.contents(sizes)


def parse_tree(raw: bytes, width: int) -> list[TreeEntry]:
    """Return the entries of a tree as git stores it, with ids of `width` bytes.

    Raises ValueError, with the second half of a sentence, for what git itself never writes: names that come twice, in
    another order or lead elsewhere, other modes than the five, and what ends too early.
    """
    entries: list[TreeEntry] = []
    names: set[bytes] = set()
    last, at = b"", 0
    while at < len(raw):
        space = raw.find(b" ", at, at + 8)
        end = raw.find(b"\0", space + 1)
        if space < 0 or end < 0 or end + 1 + width > len(raw):
            raise ValueError("its list of names is damaged")
        mode, name = raw[at:space], raw[space + 1 : end]
        place = name + b"/" if mode == b"40000" else name
        if wrong := _wrong(mode, name, name in names, place <= last):
            raise ValueError(wrong)
        names.add(name)
        last = place
        at = end + 1 + width
        text = name.decode("utf-8", "surrogateescape")
        entries.append(TreeEntry(_MODES[mode], raw[end + 1 : at].hex(), text))
    return entries


def _wrong(mode: bytes, name: bytes, twice: bool, misplaced: bool) -> str:
    """Return what is wrong with an entry, as the second half of a sentence."""
    if len(name) > LONGEST_NAME:
        return f"it has a name of more than {LONGEST_NAME:,} bytes"
    shown = one_line(name[:200].decode("utf-8", "backslashreplace"), 80) or "a name without a letter"
    if mode not in _MODES:
        return f"{shown} has the unknown mode {one_line(mode.decode('ascii', 'replace'), 10)}"
    if twice:
        return f"it names {shown} twice, and git may check out another one than is read"
    if leads_elsewhere(name.decode("utf-8", "surrogateescape")):
        return f"{shown} leads out of its folder, or into git's own"
    return f"{shown} is not in its place in the order of names" if misplaced else ""


def parse_commit(raw: bytes, digits: int) -> Commit:
    """Return what a commit names, of which ids have so many digits; its message and signatures are not looked at.

    Raises ValueError, with the second half of a sentence, where its tree, its parents or whose it is can be read in
    two ways.
    """
    if b"\0" in raw:
        raise ValueError("it holds a zero byte")
    header = raw.partition(b"\n\n")[0].removesuffix(b"\n").decode("utf-8", "surrogateescape")
    keys, values = [], []
    for line in header.split("\n"):
        key, _, value = line.partition(" ")
        keys.append(key)  # empty: a line that goes on with the one before
        values.append(value)
    parents = next((number for number, key in enumerate(keys[1:]) if key != "parent"), len(keys) - 1)
    fixed = ["tree", *["parent"] * parents, "author", "committer"]
    if keys[: len(fixed)] != fixed or not {"tree", "parent", "author", "committer"}.isdisjoint(keys[len(fixed) :]):
        raise ValueError("it does not name one tree, then its parents, one author and one committer")
    ids = values[: 1 + parents]
    if any(len(oid) != digits or not FULL_SHA.fullmatch(oid) for oid in ids):
        raise ValueError("its tree or a parent is no object's name")
    return Commit(ids[0], tuple(ids[1:]))


def leads_elsewhere(name: str) -> bool:
    """Tell whether a name is none for a file: empty, a path, or git's own folder on some file system."""
    if name in ("", ".", "..") or "/" in name:
        return True
    pieces = [folded(piece.partition(":")[0]) for piece in name.split("\\")]
    return not {".git", "git~1"}.isdisjoint(pieces)


def folded(name: str) -> str:
    """Return what file systems that ignore case, unseen characters or dots at the end take for the same name.

    Example: "M00_Warmup.py." -> "m00_warmup.py".
    """
    if not name.isascii():
        seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
        name = unicodedata.normalize("NFC", seen)
    return name.casefold().rstrip(". ")
