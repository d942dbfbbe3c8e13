"""Detectors, not walls: which library shortcuts the student's code calls, and which packages it may not import."""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import importlib.abc
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from . import operators
from .operators import Note, noting_function


def trace(names: list[str], noting: Callable[[str], Note]) -> None:
    """Have each call of a named function, method, class or operator noted; unknown names are left alone.

    `noting` makes, beforehand, what notes the calls of one name. Nothing of what was noted is kept here, where the
    student's code could take it back.
    """
    for name in names:
        path, _, attribute = name.rpartition(".")
        if attribute == "*":  # for the reader of sources alone
            continue
        try:
            owner = _owner(path)
            original = getattr(owner, attribute)
        except (ImportError, AttributeError, ValueError):
            continue
        if isinstance(original, type):
            owner, attribute, original = original, "__init__", vars(original).get("__init__")
        if original is not None and not hasattr(original, "scratchwork_name"):
            noted = noting_function(original, noting(name))
            noted.scratchwork_name = name  # type: ignore[attr-defined]
            _put(owner, attribute, noted)
    wanted = operators.watch(names, noting)
    if wanted:
        _look_into_compiled({operator: noting(name) for operator, name in wanted.items()})


def prepare(names: list[str]) -> None:
    """Do once, before any fork, what is the same in each; the names are those of all milestones."""
    operators.take_over(names)


def _put(owner: Any, attribute: str, value: Any) -> None:
    """Set an attribute, also of a class written in C, which refuses it."""
    try:
        setattr(owner, attribute, value)
    except TypeError:
        gc.get_referents(vars(owner))[0][attribute] = value  # the table behind the view
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(owner))


def _look_into_compiled(notes: dict[str, Note]) -> None:
    """Look into what torch's own compiler made when it is called: autograd's engine runs there unseen by Python."""
    import torch

    for kind in (torch._C.ScriptFunction, torch._C.ScriptMethod):
        kind.__call__ = _looking_into(kind.__call__, notes)  # type: ignore[method-assign]


def _looking_into(call: Any, notes: dict[str, Note]) -> Any:
    def looking(compiled: Any, *args: Any, **kwargs: Any) -> Any:
        for operator in set(re.findall(r"\baten::(\w+)", str(compiled.inlined_graph))):
            if note := notes.get(operators.bare(f"::{operator}")):
                note()
        return call(compiled, *args, **kwargs)

    del functools.update_wrapper(looking, call).__wrapped__
    return looking


def _owner(path: str) -> Any:
    """Return the module of this name, or the class in a module."""
    try:
        return importlib.import_module(path)
    except ImportError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


class _Refusal(importlib.abc.MetaPathFinder):
    """Refuses packages that a submission may not import, where the isolation level cannot hide them."""

    def __init__(self, names: list[str], root: str) -> None:
        self.names, self.root = frozenset(names), root

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: Any = None) -> None:
        """Raise ImportError for a refused package when the student's code asks for it; else leave it to the others."""
        if fullname.split(".")[0] in self.names and self._asked_by_student():
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)

    def _asked_by_student(self) -> bool:
        frame: Any = sys._getframe(2)
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith(self.root):
                return True
            if not name.startswith("<frozen importlib") and "importlib" not in name:
                return False
            frame = frame.f_back
        return False


def refuse_imports(names: list[str], root: str) -> None:
    """Make these packages unimportable for code below `root`."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Refusal)]
    if names:
        sys.meta_path.insert(0, _Refusal(names, root))
