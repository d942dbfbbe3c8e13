"""`%load_ext grader.notebook`: %grade and %hint in a notebook, and imports between milestones as the files have them.

The kernel is the student's own; what is graded is graded in a process of its own, in its sandbox, as ever.
"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from grader import files, syllabus
from grader.notebooks import importing, showing
from grader.notebooks.overlay import Remembered
from grader.submission import NOTEBOOK, NOTEBOOK_BYTES, read_regular
from grader.syllabus import REPOSITORY, SyllabusError

PACKAGE = "exercises"  # as which the modules import each other
EXERCISES = REPOSITORY / PACKAGE


class Extension:
    """What a kernel has once the extension is loaded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._remembered = Remembered()

    def before_cell(self, info: Any) -> None:
        """Remember a cell that is about to be run."""
        if not info.silent:
            self._remembered.note(info.raw_cell, getattr(info, "cell_id", None) or "", time.time())

    def grade(self, line: str) -> None:
        """Grade a task or a milestone: %grade m04.2. Options of `python -m grader grade` may follow."""
        words = _words(line)
        try:
            if not words:
                raise SyllabusError("Say which task, or which milestone: %grade m04.2, %grade m04.")
            milestone, _ = syllabus.load().named(words[0])
            cells = self._cells(milestone)
        except SyllabusError as error:
            print(error)
            return
        place = [] if self._folder == EXERCISES else ["--submission", str(self._folder)]
        _show(showing.graded([*words, *place], cells), f"Report of {words[0]}")

    def hint(self, line: str) -> None:
        """Show the next hint of a task: %hint m04.2."""
        print(showing.run(["hint", *_words(line)]).text, end="")

    def _cells(self, milestone: syllabus.Milestone) -> bytes | None:
        """Return the milestone's notebook as it stands here; None where there is none, so that its file is graded.

        Raises SyllabusError, with a sentence, where the file cannot be read.
        """
        path = self._folder / f"{milestone.id}{NOTEBOOK}"
        try:
            try:
                data, saved = read_regular(path, NOTEBOOK_BYTES), path.stat().st_mtime
            except FileNotFoundError:
                data, saved = None, 0.0
            return self._remembered.over(data, saved, milestone.number)
        except (OSError, ValueError) as error:
            raise SyllabusError(f"{path} cannot be read: {files.reason(error)}.") from None


def load_ipython_extension(shell: Any) -> None:
    """Add the magics, and have the cells import what they import as a module of the course does."""
    here = Path.cwd()
    folder = here if any(here.glob(f"m[0-9][0-9]_*{NOTEBOOK}")) else EXERCISES
    extension = Extension(folder)
    shell.events.register("pre_run_cell", extension.before_cell)
    for magic in (extension.grade, extension.hint):
        shell.register_magic_function(magic, "line", magic.__name__)
    if PACKAGE not in sys.modules:
        package = ModuleType(PACKAGE, "The course's modules.")
        package.__path__ = [str(folder)]
        sys.modules[PACKAGE] = package
    importing.install(PACKAGE, folder)
    if str(REPOSITORY) not in sys.path:  # found by a way that may lead elsewhere once the kernel's folder is another
        sys.path.append(str(REPOSITORY))
    shell.user_ns["__package__"] = PACKAGE  # `from .m03_embedding import embed` in a cell, as it stands in a file


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quote without its end
        return line.split()


def _show(said: showing.Said, title: str) -> None:
    """Show a report: its page where the notebook can, its text elsewhere."""
    from IPython.display import display

    if said.page:
        display({"text/html": showing.framed(said.page, title), "text/plain": said.text}, raw=True)
    else:
        print(said.text, end="")
