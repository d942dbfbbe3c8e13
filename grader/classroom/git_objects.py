"""Reading modules out of git's object store: nothing is checked out, and no hook, filter, submodule or LFS runs.

Git is called with a clean environment and with everything switched off that a repository could make it start. Trees are
listed and blobs read by their object names, each with a limit, so that whatever a commit holds is only ever data.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.reports.safe_text import one_line
from grader.submission import Submission, take, too_large
from grader.syllabus import Syllabus

FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
LISTING_LIMIT = 16 * 1024 * 1024  # bytes of one tree's listing
SECONDS = 60.0
# The instructor's own ways to reach a server stay; what else git's environment holds is about other repositories.
_KEPT = re.compile(
    r"GIT_(SSH|SSH_COMMAND|SSH_VARIANT|EXEC_PATH|SSL_\w+|HTTP_\w+|PROXY_\w+|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM))"
)
_OFF = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
}
_MODULE_MODES = ("100644", "100755")
_KINDS = {"120000": "a symbolic link", "160000": "a submodule", "040000": "a folder"}
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class GitError(Exception):
    """Git, a repository or a commit is not as it should be; the text is one sentence."""


@dataclass(frozen=True)
class TreeEntry:
    """One name in a folder of a commit."""

    mode: str  # "100644"
    oid: str
    name: str  # bytes that are no UTF-8 come as lone surrogates, as from the file system

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of the commit itself, not a link or a submodule."""
        return self.mode == "040000"

    @property
    def unusual(self) -> str:
        """What it is, if it is no regular file: "a symbolic link"."""
        return "" if self.mode in _MODULE_MODES else _KINDS.get(self.mode, f"of the unknown mode {self.mode}")


def read_modules(
    repo: Path, commit: str, syllabus: Syllabus, folder: str = "exercises"
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the sources of the course's modules in a folder of a commit, and a sentence for each that can't be taken.

    `commit` is a full object name. Both dicts are keyed by module, as in grader.submission.Submission.
    Raises GitError when there is no such commit or folder, SubmissionError when none of the modules is there.
    """
    submission = take_modules(repo, commit, syllabus, folder)
    return submission.sources, submission.problems


def take_modules(repo: Path, commit: str, syllabus: Syllabus, folder: str = "exercises", shown: str = "") -> Submission:
    """Take a folder of a commit as a submission; its notes name files that look like a module and are ignored.

    `shown` is what the folder is called in sentences. Raises as `read_modules` does.
    """
    entries = {entry.name: entry for entry in read_folder(repo, commit, folder)}
    wanted = [entries[name] for name in (f"{milestone.id}.py" for milestone in syllabus.milestones) if name in entries]
    blobs = Blobs(repo, [entry.oid for entry in wanted if not entry.unusual], syllabus.max_source_bytes)

    def read(file: str) -> bytes:
        if file not in entries:
            raise FileNotFoundError(file)
        if entries[file].unusual:
            raise ValueError(f"it is {entries[file].unusual}, not a regular file")
        return blobs.read(entries[file].oid)

    return take(shown or folder or "the repository", syllabus, read, entries)


def read_folder(repo: Path, commit: str, folder: str) -> list[TreeEntry]:
    """Return what lies in a folder of a commit ("" is its root), in git's order.

    Raises GitError when the commit or the folder is not there, or a link or submodule lies in its place.
    """
    if not FULL_SHA.fullmatch(commit):
        raise GitError(f"{one_line(commit, 80)!r} is no full commit id of 40 hexadecimal digits.")
    tree, passed = f"{commit}^{{tree}}", ""
    for part in [part for part in folder.split("/") if part]:
        passed = f"{passed}/{part}" if passed else part
        entries = _list(repo, tree, commit)
        found = next((entry for entry in entries if entry.name == part), None)
        if found is None:
            alike = [entry.name for entry in entries if entry.name.casefold() == part.casefold()]
            instead = f"; {one_line(alike[0], 80)} is not it" if alike else ""
            raise GitError(f"Commit {commit[:12]} has no folder {one_line(passed, 80)}{instead}.")
        if not found.is_folder:
            kind = found.unusual or "a file"
            raise GitError(f"In commit {commit[:12]}, {one_line(passed, 80)} is {kind}, not a folder.")
        tree = found.oid
    return _list(repo, tree, commit)


def _list(repo: Path, tree: str, commit: str) -> list[TreeEntry]:
    return parse_listing(run_git(repo, "ls-tree", "-z", "--full-tree", tree, about=f"commit {commit[:12]}"))


def parse_listing(listing: bytes) -> list[TreeEntry]:
    """Return the entries of `git ls-tree -z`, also of a recursive one, whose names are paths."""
    entries = []
    for line in listing.split(b"\0")[:-1]:
        head, _, name = line.partition(b"\t")
        mode, _, oid = head.decode("ascii").split(" ")
        entries.append(TreeEntry(mode, oid, name.decode("utf-8", "surrogateescape")))
    return entries


class Blobs:
    """The contents of some blobs: their sizes are asked for first, and only small ones are read, all at once."""

    def __init__(self, repo: Path, oids: list[str], limit: int) -> None:
        self._limit = limit
        self._sizes = _sizes(repo, oids)
        small = [oid for oid in self._sizes if self._sizes[oid] <= limit]
        self._contents = _contents(repo, small, self._sizes)

    def read(self, oid: str) -> bytes:
        """Return a blob's content. Raises ValueError when it is not there, too large, or a pointer of Git LFS."""
        if oid not in self._sizes:
            raise ValueError("its content is not in the repository")
        if self._sizes[oid] > self._limit:
            raise ValueError(too_large(self._limit))
        content = self._contents[oid]
        if content.startswith(_LFS_POINTER):
            raise ValueError("it is a pointer of Git LFS, not the file itself")
        return content


def _sizes(repo: Path, oids: list[str]) -> dict[str, int]:
    asked = "".join(f"{oid}\n" for oid in dict.fromkeys(oids)).encode()
    if not asked:
        return {}
    answer = run_git(repo, "cat-file", "--batch-check", given=asked).decode("ascii", "replace")
    fields = [line.split() for line in answer.splitlines()]
    return {field[0]: int(field[2]) for field in fields if len(field) == 3 and field[1] == "blob"}


def _contents(repo: Path, oids: list[str], sizes: dict[str, int]) -> dict[str, bytes]:
    if not oids:
        return {}
    limit = sum(sizes[oid] + 200 for oid in oids)
    answer = run_git(repo, "cat-file", "--batch", given="".join(f"{oid}\n" for oid in oids).encode(), limit=limit)
    contents, at = {}, 0
    for oid in oids:
        head, _, _ = answer[at:].partition(b"\n")
        if head != f"{oid} blob {sizes[oid]}".encode():
            raise GitError(f"The object {oid[:12]} cannot be read.")
        at += len(head) + 1
        contents[oid] = answer[at : at + sizes[oid]]
        at += sizes[oid] + 1
    return contents


def run_git(
    repo: Path,
    *arguments: str,
    given: bytes = b"",
    limit: int = LISTING_LIMIT,
    seconds: float = SECONDS,
    about: str = "",
    wrapper: tuple[str, ...] = (),
) -> bytes:
    """Run git on a repository and return what it wrote, at most `limit` bytes.

    `about` names what is read, for the sentence. Raises GitError when git fails, takes too long or writes too much.
    """
    about = about or f"the repository {repo.name}"
    command = [*wrapper, "git", "--no-pager", "--no-replace-objects", "--literal-pathspecs", "-C", str(repo)]
    for key, value in _OFF.items():
        command += ["-c", f"{key}={value}"]
    with tempfile.TemporaryFile() as input_file, tempfile.TemporaryFile() as errors:
        # Files, not pipes: git can then neither block on what nobody reads nor on what nobody writes.
        input_file.write(given)
        input_file.seek(0)
        try:
            process = subprocess.Popen(
                [*command, *arguments],
                stdin=input_file,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
                start_new_session=True,  # no terminal to ask for a password on, and one group to end
            )
        except OSError as error:
            raise GitError("git cannot be started; install it to read repositories.") from error
        answer, why = _read(process, limit, seconds)
        errors.seek(0)
        said = errors.read(4000).decode("utf-8", "replace")
    if why:
        raise GitError(f"Reading {about} was stopped: {why}.")
    if process.returncode:
        raise GitError(f"Git cannot read {about}: {_last_line(said) or f'it ended with {process.returncode}'}.")
    return answer


def _read(process: subprocess.Popen[bytes], limit: int, seconds: float) -> tuple[bytes, str]:
    """Return what a process writes, and why it was ended, if it was."""
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        with process.stdout:
            answer = process.stdout.read(limit + 1)
            if len(answer) > limit:
                _end(process)
        process.wait()
    finally:
        timer.cancel()
    if late.is_set():
        return b"", f"it took longer than {seconds:.0f} seconds"
    return answer, f"it holds more than {limit:,} bytes of what was asked for" if len(answer) > limit else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    kill: Callable[[int, int], None] | None = getattr(os, "killpg", None)
    if process.returncode is not None:
        return  # its id may be somebody else's by now
    with suppress(OSError):
        if kill is None:
            process.kill()
        else:
            kill(process.pid, signal.SIGKILL)  # the helpers that git has started as well


def environment() -> dict[str, str]:
    """Return the environment that git gets: nothing that points it elsewhere, and nothing that makes it ask."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or _KEPT.fullmatch(key)}
    return kept | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": "file:https:ssh",
        "LC_ALL": "C",
    }


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    return one_line(fatal[0], 200).removeprefix("fatal: ").removeprefix("error: ").rstrip(".") if fatal else ""
