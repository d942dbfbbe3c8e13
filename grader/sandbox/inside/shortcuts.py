"""Detectors, not walls: which library shortcuts the student's code calls, and which packages it may not import."""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import sys
from collections.abc import Sequence
from typing import Any

_seen: list[str] = []


def trace(names: list[str]) -> None:
    """Wrap each named function, method or class's __init__ so that a call is noted; unknown names are left alone."""
    _seen.clear()
    for name in names:
        path, dot, attribute = name.rpartition(".")
        if not dot:
            continue
        try:
            owner = _owner(path)
            original = getattr(owner, attribute)
        except (ImportError, AttributeError):
            continue
        if hasattr(original, "scratchwork_name"):
            continue
        if isinstance(original, type):
            owner, attribute, original = original, "__init__", vars(original).get("__init__")
            if original is None or hasattr(original, "scratchwork_name"):
                continue
        setattr(owner, attribute, _noting(name, original))


def _owner(path: str) -> Any:
    """Return the module of this name, or the class in a module."""
    try:
        return importlib.import_module(path)
    except ImportError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def _noting(name: str, original: Any) -> Any:
    @functools.wraps(original)
    def noted(*args: Any, **kwargs: Any) -> Any:
        if name not in _seen:
            _seen.append(name)
        return original(*args, **kwargs)

    del noted.__wrapped__  # what it is wrapped around is nobody's business
    noted.scratchwork_name = name  # type: ignore[attr-defined]
    return noted


def seen() -> list[str]:
    """Return the names of the shortcuts called so far."""
    return list(_seen)


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
