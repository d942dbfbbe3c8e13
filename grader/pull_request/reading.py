"""What a pull request changes, read from git's object store: nothing of its head is checked out or run here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from grader import record
from grader.classroom.intake.git_objects import take_modules
from grader.classroom.intake.git_process import GitError, run_git
from grader.classroom.intake.git_trees import Store
from grader.submission import NOTEBOOK, SOURCE, Submission, module_files
from grader.syllabus import Milestone, Syllabus

from .changes import EXERCISES as FOLDER
from .changes import NAMED, Change, changed_paths, is_attributes, is_folders_twin, modules_of, notes, shown, twins

MOST_MEETINGS = 20  # commits at which two histories meet; one, where nobody made a point of it
_COMMIT_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_./-]*")  # an id, a branch or a tag: nothing git could take otherwise


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
        elsewhere = [part for part in result.milestones if _judged_elsewhere(part)]
        if elsewhere:
            names = ", ".join(part.id for part in elsewhere)
            result.notes.append(f"All checks run on the course's own server, so that nothing is said here of: {names}.")
        return all(
            part.passed if part.id in self.changed and part not in elsewhere else not _broken(part)
            for part in result.milestones
        )


def read(repository: Path, base: str, head: str, course: Syllabus) -> PullRequest:
    """Read what `head` changes since it left `base`.

    Raises GitError, with one sentence, for a folder that is no repository, commits that are not there or that no git
    would have made, histories without a common commit, a link or submodule in place of the folder, another folder that
    many machines take for it, and changes too many to be a student's; SubmissionError when no module is left in it.
    """
    base, head = resolve(repository, base), resolve(repository, head)
    store = Store(repository)
    store.root(head)  # git reads commits whole: one beyond all measure is refused before
    starts = merge_bases(repository, base, head)
    changes: dict[str, Change] = {}
    for start in starts:
        changes.update((change.path, change) for change in changed_paths(store, start, head))
    for change in changes.values():
        if is_folders_twin(change):
            same = f"{shown(change.path)} and {FOLDER} are one folder on many machines"
            raise GitError(f"In commit {head[:12]}, {same}, and a checkout may mix the two.")
    modules = {f"{FOLDER}/{file}": module for file, module in module_files(course).items()}
    alike = twins(changes.values(), modules)
    touched = {modules[path] for path in changes if path in modules} | set(alike)
    submission = Submission(FOLDER)
    if any(path.partition("/")[0] == FOLDER for path in changes):
        submission = take_modules(store, head, course, FOLDER, shown=FOLDER)
    submission.folder = f"{head}:{FOLDER}"
    pull = PullRequest(
        base,
        head,
        [milestone.id for milestone in course.milestones if milestone.id in touched],
        submission,
        [*submission.notes, *notes(list(changes.values()), course)],
    )
    attributes = sorted(change.path for change in changes.values() if is_attributes(change.path))
    for module in pull.changed:
        if module in alike:
            _leave_out(submission, module, f"{shown(alike[module])} lies beside it, which many machines take for it")
        elif attributes:
            with_it = f"the pull request changes {shown(attributes[0])} too, by which git may check out other bytes"
            _leave_out(submission, module, f"{with_it}; hand that in by itself")
    _compare_with_merge(pull, store, starts)
    return pull


def _compare_with_merge(pull: PullRequest, store: Store, starts: list[str]) -> None:
    """Leave out the modules of which a merge makes something that is in neither commit; say which the base has newer.

    A merge takes a file of the head as it is when the base has left it alone since, and the base's when the head has.
    """
    if starts == [pull.base]:
        return
    theirs, ours = modules_of(store, pull.head), modules_of(store, pull.base)
    before = [modules_of(store, start) for start in starts]
    newer = []
    for module in pull.submission.sources:
        files = [f"{module}{ending}" for ending in (SOURCE, NOTEBOOK)]  # which of them counts hangs on both
        parted = [
            file
            for file in files
            if ours.get(file) != theirs.get(file) and any(old.get(file) != ours.get(file) for old in before)
        ]
        if not parted:
            continue
        if all(old.get(file) == theirs.get(file) for old in before for file in parted):
            newer.append(module)
        else:
            newer_too = "the base has changed it since as well, and what a merge makes of the two is in neither commit"
            mended = f"{newer_too}; merge the base first, and push that"
            pull.submission.problems[module] = _cannot(pull.submission.file(module), mended)
    for module in pull.submission.problems:
        pull.submission.sources.pop(module, None)
    if newer:
        named = ", ".join(newer[:NAMED]) + (f" and {len(newer) - NAMED} more" if len(newer) > NAMED else "")
        pull.notes.append(
            f"Graded as the head has it, though the base has another by now, which a merge will keep: {named}."
        )


def _leave_out(submission: Submission, module: str, why: str) -> None:
    if submission.sources.pop(module, None) is not None:
        submission.problems[module] = _cannot(submission.file(module), why)


def _cannot(file: str, why: str) -> str:
    return f"{FOLDER}/{file} cannot be graded: {why}."


def resolve(repository: Path, name: str) -> str:
    """Return the full id of the commit that is meant. Raises GitError where there is none."""
    if not _COMMIT_NAME.fullmatch(name):
        raise GitError(f"{shown(name)!r} names no commit; give its id, as git rev-parse prints it.")
    if not (repository / ".git").exists() and not (repository / "objects").is_dir():
        raise GitError(f"{shown(str(repository))} is no git repository.")
    try:
        found = run_git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
        oid = found.decode("ascii").strip()
        kind, _ = Store(repository).sizes([oid]).get(oid, ("", 0))
        if kind == "tag":
            found = run_git(repository, "rev-parse", "--verify", "--quiet", f"{oid}^{{commit}}")
            oid, kind = found.decode("ascii").strip(), "commit"
        if kind == "commit":
            return oid
    except GitError as error:
        if error.code is None:
            raise
    how = "git fetch --unshallow" if _shallow(repository) else "git fetch"
    raise GitError(f"{shown(str(repository))} has no commit {shown(name)}; get it first ({how}).")


def merge_bases(repository: Path, base: str, head: str) -> list[str]:
    """Return the commits at which the two histories meet: one, or several where they have crossed.

    All of them count, so that nobody hides a change by merging back and forth. Raises GitError where there is none, and
    where the histories are more than git can read within its limits.
    """
    try:
        answer = run_git(repository, "merge-base", "--all", base, head, about="the two histories")
    except GitError as error:
        if error.code != 1:
            raise
        if _shallow(repository):
            reason = "in this shallow clone; fetch the whole history (git fetch --unshallow)"
        else:
            reason = "in this repository, so it is no pull request for that branch"
        raise GitError(f"{head} and {base} have no commit in common {reason}.") from None
    found = answer.decode("ascii").split()
    if len(found) > MOST_MEETINGS:
        raise GitError(f"{head} and {base} meet in more than {MOST_MEETINGS} commits; rebase the pull request.")
    return found


def _shallow(repository: Path) -> bool:
    return run_git(repository, "rev-parse", "--is-shallow-repository").strip() == b"true"


def _begun(part: record.Milestone) -> bool:
    waiting = (record.NOT_STARTED, record.BLOCKED)
    return part.problem is not None or any(check.outcome not in waiting for task in part.tasks for check in task.checks)


def _judged_elsewhere(part: record.Milestone) -> bool:
    return part.problem is None and bool(part.tasks) and all(task.outcome == record.WITHHELD for task in part.tasks)


def _broken(part: record.Milestone) -> bool:
    fine = (record.PASSED, record.NOT_STARTED, record.BLOCKED)
    return part.problem is not None or any(check.outcome not in fine for task in part.tasks for check in task.checks)
