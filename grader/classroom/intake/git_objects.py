"""Reading modules out of git's object store: nothing is checked out, and no hook, filter, submodule or LFS runs.

Folders are read by `git_trees` and blobs by their object names, each with a limit, so that whatever a commit holds is
only ever data.
"""

from __future__ import annotations

from pathlib import Path

from grader.submission import NOTEBOOK, NOTEBOOK_BYTES, SOURCE, Submission, module_files, take, too_large
from grader.syllabus import Syllabus

from .git_trees import Store

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def read_modules(
    repo: Path, commit: str, syllabus: Syllabus, folder: str = "exercises"
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the sources of the course's modules in a folder of a commit, and a sentence for each that can't be taken.

    `commit` is a full object name. Both dicts are keyed by module, as in grader.submission.Submission.
    Raises GitError when there is no such commit or folder, SubmissionError when none of the modules is there.
    """
    submission = take_modules(repo, commit, syllabus, folder)
    return submission.sources, submission.problems


def take_modules(
    repo: Path | Store, commit: str, syllabus: Syllabus, folder: str = "exercises", shown: str = ""
) -> Submission:
    """Take a folder of a commit as a submission; its notes name files that look like a module and are ignored.

    What a store has read already is not read again. `shown` is what the folder is called in sentences. Raises as
    `read_modules` does.
    """
    store = repo if isinstance(repo, Store) else Store(repo)
    entries = {entry.name: entry for entry in store.folder(commit, folder)}
    wanted = [entries[name] for name in module_files(syllabus) if name in entries and not entries[name].unusual]
    sources = [entry.oid for entry in wanted if entry.name.endswith(SOURCE)]
    notebooks = [entry.oid for entry in wanted if entry.name.endswith(NOTEBOOK)]
    blobs = {
        limit: Blobs(store, oids, limit)
        for limit, oids in ((syllabus.max_source_bytes, sources), (NOTEBOOK_BYTES, notebooks))
    }

    def read(file: str, limit: int) -> bytes:
        if file not in entries:
            raise FileNotFoundError(file)
        if entries[file].unusual:
            raise ValueError(f"it is {entries[file].unusual}, not a regular file")
        return blobs[limit].read(entries[file].oid)

    return take(shown or folder or "the repository", syllabus, read, entries)


class Blobs:
    """The contents of some blobs: their sizes are asked for first, and only small ones are read, all at once."""

    def __init__(self, store: Store, oids: list[str], limit: int) -> None:
        self._limit = limit
        self._sizes = {oid: size for oid, size in store.sizes(oids).items() if size[0] == "blob"}
        self._contents = store.contents({oid: size for oid, size in self._sizes.items() if size[1] <= limit})

    def read(self, oid: str) -> bytes:
        """Return a blob's content. Raises ValueError when it is not there, too large, or a pointer of Git LFS."""
        if oid not in self._sizes:
            raise ValueError("its content is not in the repository")
        if oid not in self._contents:
            raise ValueError(too_large(self._limit))
        content = self._contents[oid]
        if content.startswith(_LFS_POINTER):
            raise ValueError("it is a pointer of Git LFS, not the file itself")
        return content
