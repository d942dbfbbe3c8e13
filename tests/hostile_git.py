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


class Repository:
    """A real repository; a tree is a dict of path → content, or path → (mode, content or object name)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self._blobs: dict[bytes, str] = {}

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
        if content not in self._blobs:
            self._blobs[content] = self.git("hash-object", "-w", "--stdin", given=content)
        return self._blobs[content]

    def commit(self, files: dict, *parents: str, message: str = "Work") -> str:
        """Write a commit with exactly these files and return its id."""
        lines = "".join(f"parent {parent}\n" for parent in parents)
        who = "Anybody <anybody@example.com> 1700000000 +0000"
        text = f"tree {self._tree(files)}\n{lines}author {who}\ncommitter {who}\n\n{message}\n"
        return self._write("commit", text.encode())

    def _tree(self, files: dict) -> str:
        entries: dict[bytes, tuple[str, str]] = {}
        below: dict[bytes, dict] = {}
        for path, given in files.items():
            name = path if isinstance(path, bytes) else path.encode("utf-8")
            first, slash, rest = name.partition(b"/")
            if slash:
                below.setdefault(first, {})[rest] = given
            else:
                mode, content = given if isinstance(given, tuple) else (FILE, given)
                entries[first] = (mode, content if mode == SUBMODULE else self.blob(_bytes(content)))
        for name, inner in below.items():
            entries[name] = (FOLDER, self._tree(inner))
        order = sorted(entries, key=lambda name: name + (b"/" if entries[name][0] == FOLDER else b""))
        raw = b"".join(entries[n][0].encode() + b" " + n + b"\0" + bytes.fromhex(entries[n][1]) for n in order)
        return self._write("tree", raw)

    def _write(self, kind: str, content: bytes) -> str:
        return self.git("hash-object", "-w", "--literally", "-t", kind, "--stdin", given=content)

    def files(self) -> dict[str, bytes]:
        """Return everything that lies on disk here, but for git's own objects."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() if path.is_file() else b""
            for path in self.folder.rglob("*")
            if path.relative_to(self.folder).parts[:2] != (".git", "objects")
        }


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content
