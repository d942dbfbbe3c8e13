"""`python -m grader shell m04`: a Python prompt with the student's modules imported, and what failed last at hand."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from grader import failures, syllabus, trying
from grader.arguments import course as course_file
from grader.arguments import submission, submission_folder, syllabus_of
from grader.exits import PASSED
from grader.progress import Progress
from grader.submission import NOTEBOOK, SOURCE, SubmissionError


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument(
        "name", nargs="?", metavar="MILESTONE[.TASK]", help="m04, or m04.2 for what failed there; none: all that stand"
    )
    submission(command)
    course_file(command)


def run(options: argparse.Namespace) -> int:
    """Open the prompt; it ends with exit() or Ctrl-D."""
    course = syllabus_of(options)
    folder = submission_folder(options)
    if not folder.is_dir():
        raise SubmissionError(f"There is no folder {folder}; --submission names another.")
    milestone, task = course.named(options.name) if options.name else (None, None)
    prompt = Prompt(course, folder, milestone, task)
    prompt.open()
    return PASSED


class Prompt:
    """What is there at the prompt."""

    def __init__(
        self,
        course: syllabus.Syllabus,
        folder: Path,
        milestone: syllabus.Milestone | None,
        task: syllabus.Task | None,
    ) -> None:
        chosen = course.with_uses(milestone) if milestone is not None else [one.id for one in course.milestones]
        self._folder, self._milestone = folder, milestone
        self._modules = [
            name for name in chosen if any((folder / f"{name}{ending}").exists() for ending in (SOURCE, NOTEBOOK))
        ]
        self._failure = self._find_failure(milestone, task)
        self.names: dict[str, Any] = {"reload": self.reload}
        if self._failure is not None:
            self.names["again"] = self.again

    def open(self) -> None:
        """Say what is there, and read and run lines until there are no more."""
        self.reload()
        if self._failure is not None:
            self._prepare(self._failure)
        if sys.stdin.isatty() and importlib.util.find_spec("IPython") is not None:
            import IPython

            IPython.start_ipython(argv=["--no-banner"], user_ns=self.names)
            return
        _interact(self.names)

    def reload(self) -> None:
        """Import the student's files again, as they are now, and say which came in."""
        import torch

        found, failed = trying.modules(self._folder, self._modules)
        for module in found.values():  # the milestone asked for comes last, and its names count
            self.names |= trying.names_of(module)
        if self._milestone is not None and self._milestone.id in found:
            self.names |= trying.names_of(found[self._milestone.id])
        self.names |= {name[:3]: module for name, module in found.items()} | {"torch": torch}
        lines = [f"Imported from {self._folder}: {', '.join(found) or 'nothing'}."]
        lines += [f"{name}.py cannot be imported: {_said(error)}" for name, error in failed.items()]
        self._tell("\n".join(lines))

    def again(self) -> None:
        """Make the calls of the last failed check again, with the files as they are now."""
        assert self._failure is not None
        text = self._failure.read_text(encoding="utf-8")
        lines = text.partition("begin(")[2].splitlines()[1:-1]  # without the beginning, and without print(result)
        print("\n".join(line for line in lines if line and line != failures.CALL))
        exec(compile(text, str(self._failure), "exec"), self.names)

    def _prepare(self, failure: Path) -> None:
        """Make the inputs of what failed, and show its last call."""
        inputs, _, call = failure.read_text(encoding="utf-8").partition(f"{failures.CALL}\n")
        try:
            exec(compile(inputs, str(failure), "exec"), self.names)
        except Exception as error:  # the student's own code makes some of them
            self._tell(f"The inputs of what failed cannot be made: {_said(error)}")
            return
        self._tell(f"{inputs.splitlines()[0][2:]}\nIt called the following; again() does so once more, from the start.")
        self._tell(call.splitlines()[0])

    @staticmethod
    def _find_failure(milestone: syllabus.Milestone | None, task: syllabus.Task | None) -> Path | None:
        """Return the lines of what failed last in this task, or first in this milestone."""
        state = Progress().path.parent
        tasks = [task] if task is not None else milestone.tasks if milestone is not None else ()
        places = [failures.path_of(state, one.id) for one in tasks]
        if milestone is None:
            places = [state / f"{failures.LAST}.py"]
        return next((place for place in places if place.is_file()), None)

    @staticmethod
    def _tell(text: str) -> None:
        print(text, flush=True)


def _said(error: Exception) -> str:
    """Return what a module raised, and where, in one line."""
    place = ""
    if isinstance(error, SyntaxError):
        place = f" (line {error.lineno})"
    else:
        trace = error.__traceback__
        while trace is not None:
            if Path(trace.tb_frame.f_code.co_filename).suffix == ".py" and "exercises" in str(
                trace.tb_frame.f_globals.get("__package__")
            ):
                place = f" ({Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno})"
            trace = trace.tb_next
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}{place}"


def _interact(names: dict[str, Any]) -> None:
    """Python's own prompt, with completion where there is readline."""
    import code

    with contextlib.suppress(ImportError):
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    with contextlib.suppress(SystemExit):  # exit()
        code.interact(banner="", local=names, exitmsg="")
