"""A list of git repositories and commits: each is fetched into an empty bare repository, read, and thrown away.

Nothing is checked out. A branch or tag is resolved when it is fetched, and the commit's full id is what is recorded.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grader.safe_text import one_line
from grader.submission import Submission
from grader.syllabus import Syllabus
from grader.tables import separator

from .git_objects import take_modules
from .git_process import GitError, run_git
from .git_trees import FULL_SHA, Store
from .layout import chosen_folder, folders_with_modules
from .lms_exports import YEARS
from .roster import folded
from .trees import DEPTH, ENTRIES, JUNK, Entry, Tree, is_junk

FETCH_SECONDS = 180.0
PACK_BYTES = 512 * 1024 * 1024  # no file that git writes while fetching may be larger
FETCH_MEMORY = 2 * 1024 * 1024 * 1024  # bytes of git's own: large files of honest work are compared with each other
_COLUMNS = ("student", "url", "commit", "handed_in")
_NAME = re.compile(r"(?!-)(?!.*(\.\.|@\{|//))[\w][\w./+@-]*", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::?//|[A-Za-z][A-Za-z0-9+.-]*::")
_SCP = re.compile(r"(?:[\w.-]+@)?\w[\w.-]*:(?!//)[^\\].*", re.ASCII)
_SHORT_SHA = re.compile(r"[0-9a-f]{4,}", re.IGNORECASE)
_SECRET = re.compile(r"://[^/@\s]*@")


class ListError(Exception):
    """A list of repositories cannot be used; the text is one sentence."""


@dataclass(frozen=True)
class Listed:
    """One line of the list."""

    url: str
    commit: str = "HEAD"
    student: str = ""  # as the list names whose it is
    handed_in: str = ""  # ISO 8601 with its offset, where the list has it

    @property
    def name(self) -> str:
        """The repository's own name: "https://host/course/hw1-anna.git" -> "hw1-anna"."""
        return re.split(r"[/:\\]", self.url.rstrip("/\\"))[-1].removesuffix(".git")

    def shown(self, commit: str = "") -> str:
        """How it is named to a person, without a password that stands in the address."""
        return one_line(f"{_SECRET.sub('://', self.url)}@{commit or self.commit}", 300)


def read_list(text: str, shown: str, folder: Path, allow_local: bool = False) -> list[Listed]:
    """Read a list: CSV with the columns student, url, commit and handed_in, or lines with an address and a commit.

    Columns but url may be absent. Addresses are https, and only with `allow_local` ssh and paths on this machine, which
    are relative to `folder`. Lines that are empty or begin with # are left out.
    Raises ListError, with the line's number, for what can't be meant.
    """
    lines = list(enumerate(text.splitlines(), 1))
    lines = [(number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]
    local = folder if allow_local else None
    listed = [_line(number, cells, shown, local) for number, cells in _rows(lines, shown)] if lines else []
    if not listed:
        raise ListError(f"{shown} names no repository.")
    return listed


def _rows(lines: list[tuple[int, str]], shown: str) -> list[tuple[int, dict[str, str]]]:
    parted = separator(lines[0][1])
    try:
        rows = list(csv.reader(io.StringIO("\n".join(line for _, line in lines)), delimiter=parted))
    except csv.Error as error:
        raise ListError(f"{shown} is no list of repositories: {one_line(str(error), 80)}.") from error
    header = [folded(cell).replace(" ", "_") for cell in rows[0]]
    if "url" in header:
        numbers = [number for number, _ in lines[1:]]
        return [(number, dict(zip(header, row, strict=False))) for number, row in zip(numbers, rows[1:], strict=False)]
    found = []
    for (number, line), row in zip(lines, rows, strict=False):
        if parted in line and len(row) > 1:
            first = 0 if len(row) > 2 or _looks_like_address(row[1]) else 1
            found.append((number, dict(zip(_COLUMNS[first:], row, strict=False))))
        else:
            found.append((number, dict(zip(_COLUMNS[1:], line.split(), strict=False))))
    return found


def _looks_like_address(cell: str) -> bool:
    return "/" in cell or "\\" in cell


def _line(number: int, cells: dict[str, str], shown: str, folder: Path | None) -> Listed:
    row = {column: cells.get(column, "").strip() for column in _COLUMNS}
    where = f"{shown}, line {number}"
    commit = row["commit"] or "HEAD"
    if not row["url"]:
        raise ListError(f"{where}: there is no address of a repository.")
    if not (FULL_SHA.fullmatch(commit.lower()) or _NAME.fullmatch(commit)):
        raise ListError(f"{where}: {one_line(commit, 80)} is no commit, branch or tag.")
    if row["handed_in"]:
        try:
            moment = datetime.fromisoformat(row["handed_in"])
            moment = moment if moment.tzinfo else moment.astimezone()
            if moment.year not in YEARS:
                raise ValueError
        except (ValueError, OverflowError, OSError):
            given = one_line(row["handed_in"], 40)
            raise ListError(f"{where}: {given} is no time; write it like 2026-03-01T23:59+01:00.") from None
        row["handed_in"] = moment.isoformat()
    if FULL_SHA.fullmatch(commit.lower()):
        commit = commit.lower()
    return Listed(_address(row["url"], where, folder), commit, row["student"], row["handed_in"])


def _address(url: str, where: str, folder: Path | None) -> str:
    """Return the address as git gets it: https, or with a folder also ssh, or the absolute path of a repository."""
    shown = one_line(_SECRET.sub("://", url), 120)
    if url.startswith("-") or any(letter < " " for letter in url):
        raise ListError(f"{where}: {shown} is no address of a repository.")
    if url.startswith("https://"):
        return url
    if folder is None:
        raise ListError(
            f"{where}: {shown} is not fetched; https is, and with --allow-local paths on this machine and ssh."
        )
    if url.startswith(("ssh://", "file://")):
        return url
    if _SCHEME.match(url):
        raise ListError(f"{where}: {shown} is not fetched; https, ssh and paths on this machine are.")
    if _SCP.fullmatch(url) and not (folder / url).exists() and not re.match(r"[A-Za-z]:", url):
        return url
    return str((folder / url).resolve())


def fetch_and_take(listed: Listed, syllabus: Syllabus) -> tuple[Submission, str, list[str]]:
    """Fetch a commit and take the modules in it; return them, the commit's full id, and what was ignored.

    Raises GitError when it cannot be fetched, SubmissionError when nothing of it can be graded.
    """
    with tempfile.TemporaryDirectory(prefix="scratchwork-git-", ignore_cleanup_errors=True) as scratch:
        repo = Path(scratch)
        commit = _fetched(repo, listed)
        shown = listed.shown(commit[:12])
        store = Store(repo)
        paths = store.paths(commit, ENTRIES, DEPTH, JUNK)
        folder = _folder(paths, syllabus, shown)
        submission = take_modules(store, commit, syllabus, folder, f"{shown}/{folder}".rstrip("/"))
    return submission, commit, list(submission.notes)


def _fetched(repo: Path, listed: Listed) -> str:
    """Fetch what is wanted and return the full id of the commit."""
    sha256 = len(listed.commit) == 64 and FULL_SHA.fullmatch(listed.commit)
    kind = ["--object-format=sha256"] if sha256 else []
    run_git(repo, "init", "-q", "--bare", "--template=", *kind, ".", about="the temporary repository")
    if FULL_SHA.fullmatch(listed.commit):
        try:
            _fetch(repo, listed, "--depth=1", listed.commit)
        except GitError as error:
            if "was stopped" in str(error):
                raise
            # Not every server gives a commit that is no branch's last one; with all branches it comes along.
            _fetch(repo, listed, "+refs/heads/*:refs/heads/*")
        return _resolved(repo, listed, listed.commit)
    if listed.commit == "HEAD":
        _fetch(repo, listed, "--depth=1", "+HEAD:refs/taken")
        return _resolved(repo, listed, "refs/taken")
    if _SHORT_SHA.fullmatch(listed.commit):
        # A branch can be given any name at any time, so that it would be taken for the commit that was meant.
        raise GitError(
            f"{listed.shown()} may be a commit or a branch: a commit is named by its full id of 40 digits, and a "
            f"branch or tag of such a name as refs/heads/{listed.commit} or refs/tags/{listed.commit}."
        )
    full = listed.commit.startswith(("refs/heads/", "refs/tags/"))
    for place in ("",) if full else ("refs/heads/", "refs/tags/"):
        try:
            _fetch(repo, listed, "--depth=1", f"+{place}{listed.commit}:refs/taken")
        except GitError as error:
            if "couldn't find remote ref" not in str(error):
                raise
        else:
            return _resolved(repo, listed, "refs/taken")
    raise GitError(f"{listed.shown()} is not there: the repository has no such branch or tag.")


def _fetch(repo: Path, listed: Listed, *what: str) -> None:
    options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance"]
    depth = [option for option in what if option.startswith("--")]
    wanted = [option for option in what if not option.startswith("--")]
    run_git(
        repo,
        "fetch",
        *options,
        *depth,
        "--",
        listed.url,
        *wanted,
        seconds=FETCH_SECONDS,
        memory=FETCH_MEMORY,
        on_disk=PACK_BYTES,
        about=listed.shown(),
    )


def _resolved(repo: Path, listed: Listed, name: str) -> str:
    try:
        found = run_git(repo, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", about=listed.shown())
    except GitError:
        raise GitError(f"{listed.shown()} is not there: the repository has no such commit.") from None
    return found.decode("ascii").strip()


def _folder(paths: list[str], syllabus: Syllabus, shown: str) -> str:
    """Return the folder of a repository that holds the modules, by the same rule as for folders and archives."""
    parted = [tuple(path.split("/")) for path in paths]
    tree = Tree(shown, [Entry(path) for path in parted if not is_junk(path)])
    return "/".join(chosen_folder(tree, folders_with_modules(tree, syllabus), syllabus))
