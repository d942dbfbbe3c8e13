"""What a pull request changes, read from git's object store: nothing of its head is checked out or run here."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from grader import record
from grader.reports.safe_text import one_line, without_ci_commands
from grader.submission import Submission, resembles
from grader.syllabus import Milestone, Syllabus

from .git_objects import GitError, run_git, take_modules

FOLDER = "exercises"
MOST_CHANGES = 100_000  # paths; a pull request with more is refused instead of listed
NAMED = 5  # paths in one sentence; the rest is counted
FILE, PROGRAM, LINK, SUBMODULE = "100644", "100755", "120000", "160000"
_COMMIT_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_./-]*")  # an id, a branch or a tag: nothing git could take otherwise
KINDS = {LINK: "a symbolic link", SUBMODULE: "a submodule"}


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits; a mode of 000000 means that it is not there."""

    path: str  # bytes that are no UTF-8 as lone surrogates
    old_mode: str
    new_mode: str


@dataclass
class PullRequest:
    """The modules as the head has them, which of them the pull request changes, and what of it was left aside."""

    base: str  # full ids of commits
    head: str
    changed: list[str]  # ids of milestones whose module it changes, in the syllabus's order
    submission: Submission
    notes: list[str] = field(default_factory=list)  # one sentence each

    @property
    def origin(self) -> str:
        """Say in one sentence which commit this is: a branch may be pushed anew after it was graded."""
        return f"This is commit {self.head} of a pull request for {self.base}."

    def affected(self, course: Syllabus) -> list[Milestone]:
        """Return the milestones whose module changed, or one that theirs is made of.

        One that is made of a module that cannot be taken is left out unless it changed itself: its report would only
        say so again.
        """
        found = []
        for milestone in course.milestones:
            needs = course.with_needs(milestone)
            unusable = any(name in self.submission.problems for name in needs)
            if milestone.id in self.changed or (not unusable and not set(needs).isdisjoint(self.changed)):
                found.append(milestone)
        return found

    def judge(self, result: record.Record) -> bool:
        """Say whether the pull request passes, and leave out of the record what it does not answer for.

        A milestone whose own module it changes must pass. One that only builds on such a module must not fail: what
        is not begun there is somebody's next pull request.
        """
        waiting = [part for part in result.milestones if part.id not in self.changed and not _begun(part)]
        if waiting:
            names = ", ".join(part.id for part in waiting)
            result.notes.append(f"Built on what changed, not begun yet and not counted: {names}.")
            result.milestones = [part for part in result.milestones if part not in waiting]
        return all(part.passed if part.id in self.changed else not _broken(part) for part in result.milestones)


def read(repository: Path, base: str, head: str, course: Syllabus) -> PullRequest:
    """Read what `head` changes since it left `base`.

    Raises GitError, with one sentence, for a folder that is no repository, commits that are not there, histories
    without a common commit, a link or submodule in place of the folder, and changes too many to be a student's;
    SubmissionError when no module is left in it.
    """
    base, head = resolve(repository, base), resolve(repository, head)
    changes: dict[str, Change] = {}
    for start in merge_bases(repository, base, head):
        changes.update((change.path, change) for change in changed_paths(repository, start, head))
    modules = {f"{FOLDER}/{milestone.id}.py": milestone.id for milestone in course.milestones}
    touched = {modules[path] for path in map(_module_path, changes) if path in modules}
    submission = Submission(FOLDER)
    if any(path.partition("/")[0] == FOLDER for path in changes):
        submission = take_modules(repository, head, course, FOLDER, shown=FOLDER)
    submission.folder = f"{head}:{FOLDER}"
    return PullRequest(
        base,
        head,
        [milestone.id for milestone in course.milestones if milestone.id in touched],
        submission,
        [*submission.notes, *notes(list(changes.values()), course)],
    )


def resolve(repository: Path, name: str) -> str:
    """Return the full id of the commit that is meant. Raises GitError where there is none."""
    if not _COMMIT_NAME.fullmatch(name):
        raise GitError(f"{shown(name)!r} names no commit; give its id, as git rev-parse prints it.")
    if not (repository / ".git").exists() and not (repository / "objects").is_dir():
        raise GitError(f"{shown(str(repository))} is no git repository.")
    try:
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return run_git(repository, *asked).decode("ascii").strip()
    except GitError:
        how = "git fetch --unshallow" if _shallow(repository) else "git fetch"
        raise GitError(f"{shown(str(repository))} has no commit {shown(name)}; get it first ({how}).") from None


def merge_bases(repository: Path, base: str, head: str) -> list[str]:
    """Return the commits at which the two histories meet: one, or several where they have crossed.

    All of them count, so that nobody hides a change by merging back and forth. Raises GitError where there is none.
    """
    try:
        return run_git(repository, "merge-base", "--all", base, head).decode("ascii").split()
    except GitError:
        if _shallow(repository):
            reason = "in this shallow clone; fetch the whole history (git fetch --unshallow)"
        else:
            reason = "in this repository, so it is no pull request for that branch"
        raise GitError(f"{head} and {base} have no commit in common {reason}.") from None


def changed_paths(repository: Path, old: str, new: str) -> list[Change]:
    """Return every path that differs between two commits, whatever it is. Raises GitError for too many."""
    asked = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--ignore-submodules=none", old, new)
    pieces = run_git(repository, *asked, "--", limit=MOST_CHANGES * 500, about=f"what {new} changes").split(b"\0")
    if len(pieces) // 2 > MOST_CHANGES:
        raise GitError(f"{new} changes more than {MOST_CHANGES:,} files, which no student's work does.")
    found = []
    for facts, path in zip(pieces[::2], pieces[1::2], strict=False):
        old_mode, new_mode, *_ = facts.decode("ascii").removeprefix(":").split(" ")
        found.append(Change(path.decode("utf-8", "surrogateescape"), old_mode, new_mode))
    return found


def _shallow(repository: Path) -> bool:
    return run_git(repository, "rev-parse", "--is-shallow-repository").strip() == b"true"


def notes(changes: list[Change], course: Syllabus) -> list[str]:
    """Say in one sentence each what of these changes was not taken.

    What is wrong with a module, and what resembles one, the submission itself says.
    """
    said: list[str] = []
    beside: list[Change] = []
    foreign: list[Change] = []
    outside: list[Change] = []
    modules = {f"{FOLDER}/{milestone.id}.py" for milestone in course.milestones}
    for change in changes:
        folder, _, name = change.path.partition("/")
        if change.path in modules:
            if (change.old_mode, change.new_mode) == (FILE, PROGRAM):
                said.append(f"{change.path} was made executable, which changes nothing: it is read and never run.")
        elif folder == FOLDER:
            if _module_path(change.path) not in modules and not resembles(name, course):
                beside.append(change)
        elif _likeness(folder) == FOLDER:
            foreign.append(change)
        else:
            outside.append(change)
    if beside:
        said.append(f"Not taken, since only the course's modules are: {_list(beside)}.")
    if foreign:
        said.append(f"Not taken, since the folder only looks like {FOLDER}: {_list(foreign)}.")
    if outside:
        said.append(
            f"Not used, since grader, fixtures and workflow are the base's own: {_list(outside)}. "
            "Look at them before you merge."
        )
    return said


def shown(name: str) -> str:
    """Return a name from a repository as it may stand in a sentence, in a report or a log."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return without_ci_commands(one_line(text, 100))


def _begun(part: record.Milestone) -> bool:
    waiting = (record.NOT_STARTED, record.BLOCKED)
    return part.problem is not None or any(check.outcome not in waiting for task in part.tasks for check in task.checks)


def _broken(part: record.Milestone) -> bool:
    fine = (record.PASSED, record.NOT_STARTED, record.BLOCKED)
    return part.problem is not None or any(check.outcome not in fine for task in part.tasks for check in task.checks)


def _module_path(path: str) -> str:
    """Return the path of the module that a path is, or lies in as in a folder: exercises/m04_attention.py/x."""
    return "/".join(path.split("/")[:2])


def _likeness(name: str) -> str:
    """Return what a name looks like: full-width letters, another case and invisible characters make no difference."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"\s", "", "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Mn", "Cc")))


def _list(changes: list[Change]) -> str:
    named = ", ".join(_named(change) for change in changes[:NAMED])
    return named if len(changes) <= NAMED else f"{named} and {len(changes) - NAMED:,} more"


def _named(change: Change) -> str:
    kind = KINDS.get(change.new_mode)
    return f"{shown(change.path)} ({kind})" if kind else shown(change.path)
