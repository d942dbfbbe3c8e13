"""Taking a submission: an allowlist of regular files, read once, and what is wrong with each of the rest."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from . import files
from .files import reason
from .syllabus import Milestone, Syllabus

if TYPE_CHECKING:
    from .notebooks.reading import Module as NotebookModule

SOURCE, NOTEBOOK = ".py", ".ipynb"  # how the names of files end that hold a module
NOTEBOOK_BYTES = 4 * 2**20  # of a notebook's file, most of which are its outputs


class SubmissionError(Exception):
    """The folder as a whole cannot be graded; the text is one sentence."""


@dataclass
class Submission:
    """The sources taken from a folder, and one sentence for each module that could not be taken."""

    folder: str
    sources: dict[str, bytes] = field(default_factory=dict)  # module id -> source
    problems: dict[str, str] = field(default_factory=dict)  # module id -> what is wrong with its file
    notes: list[str] = field(default_factory=list)  # files that look like a module and are none: one sentence each
    mistaken: set[str] = field(default_factory=set)  # modules that are not there, and something of a similar name is
    unopened: bool = False  # archives lay beside the modules, and may hold others
    absent: set[str] = field(default_factory=set)  # of `problems`, the modules that have one because they are not there
    beneath: Submission | None = None  # where each milestone takes from what it is made of, instead of from here
    notebooks: dict[str, NotebookModule] = field(default_factory=dict)  # modules that a notebook's cells make

    def digest(self, modules: list[str]) -> str:
        """Return the SHA-256 of exactly these modules' sources."""
        digest = hashlib.sha256()
        for module in modules:
            source = self.sources.get(module)
            digest.update(f"{module}\0{-1 if source is None else len(source)}\0".encode())
            digest.update(source or b"")
        return digest.hexdigest()

    def under(self, milestone: Milestone, syllabus: Syllabus) -> Submission:
        """Return what one milestone is graded with: its own module from here, and what it is made of from beneath."""
        if self.beneath is None:
            return self
        return self.replaced([name for name in syllabus.with_needs(milestone) if name != milestone.id], self.beneath)

    def replaced(self, modules: list[str], other: Submission) -> Submission:
        """Return this submission with some modules taken from another one."""
        sources, problems = dict(self.sources), dict(self.problems)
        for module in modules:
            sources.pop(module, None)
            problems.pop(module, None)
            if module in other.sources:
                sources[module] = other.sources[module]
            if module in other.problems:
                problems[module] = other.problems[module]
        return Submission(self.folder, sources, problems, list(self.notes))

    def put(
        self,
        milestone: Milestone,
        notebook: bytes | str,
        limit: int,
        inside: str = "",
        beside: bytes | str | None = None,
    ) -> None:
        """Take a milestone's module from its notebook, or from the file beside it where that is the one that is meant.

        Either is its bytes, or a sentence that says what is wrong with it. `limit` is the largest source in bytes,
        `inside` where both lie, as it is shown.
        """
        from .notebooks.choosing import chosen  # which most folders need not

        name = milestone.id
        inside = inside or f"{self.folder}/"
        found = chosen((f"{inside}{name}{SOURCE}", beside), (f"{inside}{name}{NOTEBOOK}", notebook), name[:3], limit)
        self.notes += found.notes
        if isinstance(found.taken, bytes):
            self.sources[name] = found.taken
        else:
            self.problems[name] = found.taken
        if found.module is not None:
            self.notebooks[name] = found.module

    def file(self, module: str) -> str:
        """Return the name of the file that a module was taken from."""
        return f"{module}{NOTEBOOK if module in self.notebooks else SOURCE}"


def module_files(syllabus: Syllabus) -> dict[str, str]:
    """Return the names under which modules are handed in, each with its module: "m04_attention.ipynb" is one."""
    return {f"{each.id}{ending}": each.id for each in syllabus.milestones for ending in (SOURCE, NOTEBOOK)}


def collect(folder: Path, syllabus: Syllabus, elsewhere: Mapping[str, Path] | None = None) -> Submission:
    """Read the course's modules out of a folder; links, pipes, devices and oversized files are refused one by one.

    `elsewhere` says of a module's id where it lies when the folder has none: in a room that the course brings.
    Raises SubmissionError when there is no such folder, or none of the course's modules in it.
    """
    name = _shown(folder)
    if not folder.is_dir():
        raise SubmissionError(f"There is no folder {name}; --submission wants the folder with the mNN_*.py files.")
    try:
        beside = os.listdir(folder)
    except OSError as error:
        raise SubmissionError(f"The folder {name} cannot be read: {reason(error)}.") from error
    there = {file for file in beside if file.endswith((SOURCE, NOTEBOOK))}
    places = {
        f"{module}{SOURCE}": path
        for module, path in (elsewhere or {}).items()
        if there.isdisjoint((f"{module}{SOURCE}", f"{module}{NOTEBOOK}"))
    }
    return take(name, syllabus, lambda file, limit: read_regular(places.get(file, folder / file), limit), beside)


def with_own_stubs(folder: Path, syllabus: Syllabus) -> Submission:
    """Read what students start from: ours in a folder, those that a course brings in their rooms."""
    return collect(folder, syllabus, {milestone.id: milestone.stub for milestone in syllabus.own})


def with_own_solutions(folder: Path, syllabus: Syllabus) -> Submission:
    """Read the solutions: ours in a folder, those to what a course brings in their rooms."""
    return collect(folder, syllabus, {milestone.id: milestone.solution for milestone in syllabus.own})


def take(name: str, syllabus: Syllabus, read: Callable[[str, int], bytes], beside: Iterable[str] = ()) -> Submission:
    """Take the course's modules from wherever `read` finds a file by its name; `beside` names what lies there as well.

    `read` is given the largest size, and raises FileNotFoundError for a file that is not there, and OSError or
    ValueError for one that can't be taken. A module lies there as a file or as a notebook.
    Raises SubmissionError when none of the modules is there.
    """
    submission = Submission(name)
    inside = name if name.endswith("!") else f"{name}/"  # the root of an archive: "week4.zip!m00_warmup.py"
    likenesses = _likenesses(beside, syllabus)
    for milestone in syllabus.milestones:
        file = f"{milestone.id}{SOURCE}"
        alike = likenesses.get(milestone.id, [])
        taken = _read(read, inside, file, syllabus.max_source_bytes)
        notebook = _read(read, inside, f"{milestone.id}{NOTEBOOK}", NOTEBOOK_BYTES)
        if notebook is not None:
            submission.put(milestone, notebook, syllabus.max_source_bytes, inside, taken)
        elif isinstance(taken, bytes):
            submission.sources[milestone.id] = taken
        elif taken is not None:
            submission.problems[milestone.id] = taken
        else:
            submission.absent.add(milestone.id)
            if alike:
                submission.mistaken.add(milestone.id)
            also = f" ({', '.join(alike)} is not taken for it)" if alike else ""
            submission.problems[milestone.id] = f"{inside}{file} is missing{also}; put the stub back to start from."
        submission.notes += [f"{inside}{other} was ignored: the module is called {file}." for other in alike]
    if len(submission.absent) == len(syllabus.milestones):
        first = syllabus.milestones[0].id
        hint = "".join(f" {note}" for note in submission.notes[:1])
        raise SubmissionError(f"The folder {name} has none of the course's modules ({first}.py and so on).{hint}")
    return submission


def _read(read: Callable[[str, int], bytes], inside: str, file: str, limit: int) -> bytes | str | None:
    """Return a file's bytes, a sentence where it can't be taken, None where there is none."""
    try:
        return read(file, limit)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return f"{inside}{file} cannot be taken: {reason(error)}."


def resembles(file: str, syllabus: Syllabus) -> str:
    """Return the module that a file's name could be mistaken for without being its name, or an empty string.

    Other case, full-width or foreign letters, a browser's " (1)", an editor's ".txt": a person would not see, or would
    overlook the difference. Nothing is taken under such a name.

    Example: "M04_Attention (1).py" -> "m04_attention".
    """
    plain = unicodedata.normalize("NFKC", file[:200]).casefold()
    plain = "".join(letter for letter in plain if unicodedata.category(letter) not in ("Cf", "Cc", "Zs"))
    stem = _ENDINGS.sub("", plain)
    for milestone in syllabus.milestones:
        own = (f"{milestone.id}{SOURCE}", f"{milestone.id}{NOTEBOOK}")
        if file not in own and stem != plain and _same_but_foreign(stem, milestone.id):
            return milestone.id
    return ""


# What saving a file a second time, or under another editor, leaves at the end of its name; spaces are gone by then.
_ENDINGS = re.compile(r"(\(\d+\)|-\d{1,2}|-?copy)*\.(py|pyi|pyw|pyc|ipynb|txt)(\.txt)?$")


def _same_but_foreign(name: str, module: str) -> bool:
    """Tell whether a name is the module's, letters outside ASCII and the joints between words left out of account."""
    if len(name) != len(module):
        return False
    return all(a == b or not a.isascii() or (a in "-. " and b == "_") for a, b in zip(name, module, strict=True))


def _likenesses(names: Iterable[str], syllabus: Syllabus) -> dict[str, list[str]]:
    from .safe_text import one_line

    found: dict[str, list[str]] = {}
    for name in names:
        if module := resembles(name, syllabus):
            found.setdefault(module, []).append(one_line(name, 80))
    return {module: sorted(shown)[:5] for module, shown in found.items()}


def _shown(folder: Path) -> str:
    try:
        relative = os.path.relpath(folder)
    except ValueError:  # another drive of Windows
        return str(folder)
    return str(folder) if relative.startswith("..") else relative


def read_regular(path: Path, limit: int, *, own: bool = False) -> bytes:
    """Return the bytes of a regular file. Raises OSError, and ValueError for anything else or more than `limit`."""
    try:
        return files.read(path, limit, own=own)
    except files.TooLarge:
        raise ValueError(too_large(limit)) from None


def too_large(limit: int) -> str:
    """Return what is wrong with a source of more than `limit` bytes, or with a notebook's file."""
    if limit == NOTEBOOK_BYTES:
        return f"it is larger than {limit // 2**20} MB; clear its outputs, which count for nothing"
    return f"it is larger than {limit // 1024} kB, which no solution needs"
