"""Detectors, not walls: which library shortcuts the student's code calls, and which packages it may not import."""

from __future__ import annotations

import _thread
import functools
import importlib
import importlib.abc
import re
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

# Where torch keeps what it asks overriders about; functions written in Python elsewhere are wrapped alone.
OPERATORS = ("torch", "torch.Tensor", "torch.special", "torch.nn.functional")
_OWN_NAMES = ("_start_new_thread", "_start_joinable_thread")  # under which threading keeps what starts threads
_seen: list[str] = []
_wanted: dict[str, str] = {}  # of torch's operators: the name that they bear there -> the shortcut


def trace(names: list[str]) -> None:
    """Wrap each named function, method or class's __init__ so that a call is noted; unknown names are left alone."""
    _seen.clear()
    _wanted.clear()
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
    listed = [name for name in names if name.rpartition(".")[0] in OPERATORS]
    operators = {name.rpartition(".")[2]: name for name in reversed(listed)}
    # Watching slows down every call of torch; nobody comes upon a private operator alone without meaning to.
    if not all(operator.startswith("_") for operator in operators):
        _watch(operators)


def _watch(wanted: dict[str, str]) -> None:
    """Have torch itself tell of each call of an operator that bears a shortcut's name, however it was come by."""
    prepare()
    _wanted.update(wanted)
    _watcher()().__enter__()


@functools.cache
def prepare() -> None:
    """Do once, before any fork, what is the same in each: reach threads and what torch's own compiler makes."""
    import torch

    _watcher()
    for module in (_thread, threading):
        for name in ("start_new", "start_new_thread", "start_joinable_thread", *_OWN_NAMES):
            if hasattr(module, name):
                setattr(module, name, _starting(getattr(module, name)))
    for kind in (torch._C.ScriptFunction, torch._C.ScriptMethod):
        kind.__call__ = _looking_into(kind.__call__)  # type: ignore[method-assign]


def _starting(start: Any) -> Any:
    """Return a way to start a thread in which torch tells of its calls too: it does so for each thread by itself."""

    @_in_place_of(start)
    def starting(function: Any, *args: Any, **kwargs: Any) -> Any:
        def run(*inner: Any, **named: Any) -> Any:
            with _watcher()():
                return function(*inner, **named)

        return start(run if _wanted else function, *args, **kwargs)

    return starting


def _looking_into(call: Any) -> Any:
    """Return a way to call what torch's own compiler made, which calls operators where Python sees none of it."""

    @_in_place_of(call)
    def looking(compiled: Any, *args: Any, **kwargs: Any) -> Any:
        if _wanted:
            for operator in set(re.findall(r"\baten::(\w+)", str(compiled.inlined_graph))):
                _note(_known(operator))
        return call(compiled, *args, **kwargs)

    return looking


def _in_place_of(original: Any) -> Callable[[Any], Any]:
    """Give a function the name and the words of the one that it stands in for, which itself is nobody's business."""

    def dress(function: Any) -> Any:
        del functools.update_wrapper(function, original).__wrapped__
        return function

    return dress


def _note(name: str | None) -> None:
    if name is not None and name not in _seen:
        _seen.append(name)


@functools.cache
def _watcher() -> Any:
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):
        """Sees what Python calls of torch: functions, methods of tensors, and operators below `torch.ops`."""

        def __init__(self) -> None:
            self.harmless = set[Any]()

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func not in self.harmless:
                name = _known(getattr(func, "__name__", "").partition(".")[0])
                if name is None:
                    self.harmless.add(func)
                _note(name)
            return func(*args, **kwargs) if kwargs else func(*args)

    return Watch


def _known(called: str) -> str | None:
    """Return the shortcut that a torch operator's name stands for; private ones bear longer names."""
    if called in _wanted or not called.startswith("_"):
        return _wanted.get(called)
    inner = called.lstrip("_")
    return next((name for short, name in _wanted.items() if inner == short or inner.startswith(f"{short}_")), None)


def _owner(path: str) -> Any:
    """Return the module of this name, or the class in a module."""
    try:
        return importlib.import_module(path)
    except ImportError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def _noting(name: str, original: Any) -> Any:
    @_in_place_of(original)
    def noted(*args: Any, **kwargs: Any) -> Any:
        _note(name)
        return original(*args, **kwargs)

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
