"""Commits that no checkout would make: objects written one by one into a repository, whatever their names and modes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

FILE, PROGRAM, LINK, SUBMODULE, FOLDER = "100644", "100755", "120000", "160000", "40000"
ANYBODY = {
    "GIT_AUTHOR_NAME": "Anybody", "GIT_AUTHOR_EMAIL": "anybody@example.com", "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "Anybody", "GIT_COMMITTER_EMAIL": "anybody@example.com",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
}  # fmt: skip


# Keys of a change that are no paths: a whole root in place of the course's, and what a commit says beside its tree.
ROOT, MESSAGE, HEADERS = "\0root", "\0message", "\0headers"


class Raw(list):
    """A tree's entries exactly so and in this order: (mode, name, content, tree or object name)."""


class Repository:
    """A real repository; a tree is a dict of path → content, or path → (mode, content or object name)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self._written: dict[tuple[str, bytes], str] = {}

    def git(self, *arguments: str, given: bytes = b"") -> str:
        """Run git here and return what it says."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            input=given,
            capture_output=True,
            check=True,
            env={**os.environ, **ANYBODY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
        )
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def blob(self, content: bytes) -> str:
        """Write a blob and return its name."""
        return self._write("blob", content)

    def head(self, course: dict, changes: dict, *parents: str) -> str:
        """Write the commit of a pull request that changes these files of a course, or more than files."""
        changes = dict(changes)
        how = {"message": changes.pop(MESSAGE, "Work"), "headers": changes.pop(HEADERS, "")}
        whole = changes.pop(ROOT, None)
        gone = {path: None for name in changes for path in course if path.startswith(f"{name}/")}
        files = {path: content for path, content in {**course, **gone, **changes}.items() if content is not None}
        return self.commit(files if whole is None else whole, *parents, **how)

    def commit(self, files: dict | Raw, *parents: str, message: str = "Work", headers: str = "") -> str:
        """Write a commit with exactly these files and return its id."""
        lines = "".join(f"parent {parent}\n" for parent in parents)
        who = "Anybody <anybody@example.com> 1700000000 +0000"
        text = f"tree {self._tree(files)}\n{lines}author {who}\ncommitter {who}\n{headers}\n{message}\n"
        return self._write("commit", text.encode())

    def _tree(self, files: dict | Raw) -> str:
        if isinstance(files, Raw):
            return self._write("tree", b"".join(self._entry(*entry) for entry in files))
        entries: dict[bytes, tuple] = {}
        below: dict[bytes, dict] = {}
        for path, given in files.items():
            name = path if isinstance(path, bytes) else path.encode("utf-8")
            first, slash, rest = name.partition(b"/")
            if slash:
                below.setdefault(first, {})[rest] = given
            else:
                mode, content = given if isinstance(given, tuple) else (FILE, given)
                mode = FOLDER if isinstance(content, Raw) else mode
                entries[first] = (mode, content)
        for name, inner in below.items():
            entries[name] = (FOLDER, inner)
        order = sorted(entries, key=lambda name: name + (b"/" if entries[name][0] == FOLDER else b""))
        return self._tree(Raw((entries[name][0], name, entries[name][1]) for name in order))

    def _entry(self, mode: str, name: str | bytes, content: str | bytes | dict | Raw) -> bytes:
        if isinstance(content, dict | Raw):
            oid = self._tree(content)
        else:
            oid = str(content) if mode == SUBMODULE else self.blob(_bytes(content))
        return mode.encode() + b" " + _bytes(name) + b"\0" + bytes.fromhex(oid)

    def _write(self, kind: str, content: bytes) -> str:
        if (kind, content) not in self._written:
            arguments = ("hash-object", "-w", "--literally", "-t", kind, "--stdin")
            self._written[kind, content] = self.git(*arguments, given=content)
        return self._written[kind, content]

    def files(self) -> dict[str, bytes]:
        """Return everything that lies on disk here, but for git's own objects."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b""
            for path in self.folder.rglob("*")
            if path.relative_to(self.folder).parts[:2] != (".git", "objects")
        }


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content
