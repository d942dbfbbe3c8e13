"""Imports between milestones of which one is a notebook: its cells are the module, as they are for the grader."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from grader import syllabus
from grader.submission import NOTEBOOK, SubmissionError, collect


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of a package that are notebooks in a folder; all others are found as ever."""

    def __init__(self, package: str, folder: Path) -> None:
        self._package, self._folder = package, folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return what makes a module of a notebook's cells. Raises ImportError where it can't be told what counts."""
        package, _, name = fullname.rpartition(".")
        if package != self._package or not (self._folder / f"{name}{NOTEBOOK}").exists():
            return None
        course = syllabus.load()
        course = replace(course, milestones=tuple(one for one in course.milestones if one.id == name))
        try:
            taken = collect(self._folder, course) if course.milestones else None
        except SubmissionError:
            return None
        if taken is None or (name not in taken.notebooks and name in taken.sources):
            return None
        if name in taken.problems:
            raise ImportError(taken.problems[name])
        return importlib.util.spec_from_loader(fullname, Loader(taken.sources[name], f"<{name}{NOTEBOOK}>"))


class Loader(importlib.abc.Loader):
    """Runs the source that cells make; tracebacks, and who asks for a function's source, find its lines."""

    def __init__(self, source: bytes, name: str) -> None:
        self._source, self._name = source, name

    def exec_module(self, module: ModuleType) -> None:
        """Run it in the module."""
        text = self._source.decode("utf-8")
        linecache.cache[self._name] = (len(self._source), None, text.splitlines(keepends=True), self._name)
        exec(compile(text, self._name, "exec", dont_inherit=True), vars(module))


def install(package: str, folder: Path) -> None:
    """Have imports of a package's modules find the notebooks in a folder, and in no other any more."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    sys.meta_path.insert(0, Finder(package, folder))
