"""Watches torch's operators where every way to them ends: in the table of kernels that torch itself chooses from.

A kernel that was taken over there is called whatever name, thread, mode or text of torch's own compiler led to it, and
costs nothing until it is: no other operator is slowed down. Taking over writes to many pages of memory, each of which a
fork would have to copy. So the server does it, silently and for all milestones, and a worker only gives its notes.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

# Where torch keeps what its operators are called under; a shortcut in one of these is one, or is made of one.
PLACES = ("torch", "torch.Tensor", "torch.special", "torch.nn.functional")
# Where kernels that give values are entered. What is made of other operators is entered under one of the first four
# keys, and then called in the processor's place.
COMPOSITE = (
    "CompositeImplicitAutograd",
    "CompositeExplicitAutograd",
    "CompositeExplicitAutogradNonFunctional",
    "CompositeImplicitAutogradNestedTensor",
)
KEYS = ("CPU", "CUDA", "MPS", "NestedTensorCPU", "QuantizedCPU", "SparseCPU")
BY_AUTOGRAD = {"make_dual"}  # what autograd does itself, and no kernel below it
# Where torch writes operators out in Python, for its compilers.
WRITTEN_OUT = ("torch._refs", "torch._refs.special", "torch._refs.nn.functional", "torch._decomp.decompositions")

Note = Callable[[], None]
_silent: dict[str, Callable[[Note], None]] = {}  # of the operators that the server has taken over, what gives a note


@dataclass(frozen=True)
class Known:
    """What torch has: its operators and how it writes them out in Python, both by the operators' bare names."""

    text: str  # the names, one a line between underscores
    operators: dict[str, list[tuple[str, str]]]  # each with a key under which a kernel of it is entered
    written_out: dict[str, list[tuple[dict[Any, Any], Any]]]  # a table, and what stands for the operator there


@functools.cache
def prepare() -> Known:
    """Look through torch's operators; done once, before any fork."""
    import torch

    operators: dict[str, list[tuple[str, str]]] = {}
    for key in (*COMPOSITE, *KEYS, "Autograd"):
        for operator in torch._C._dispatch_get_registrations_for_dispatch_key(key):
            name = bare(operator)
            # What makes no answer of its own, and is not for a kind of device, calls the operator that does.
            if (key in KEYS or not operator.endswith("out")) and (key != "Autograd" or name in BY_AUTOGRAD):
                operators.setdefault(name, []).append((operator, key))
    written_out: dict[str, list[tuple[dict[Any, Any], Any]]] = {}
    for place in WRITTEN_OUT:
        for name, value in vars(sys.modules[place]).items() if place in sys.modules else ():
            if callable(value):
                written_out.setdefault(bare(name), []).append((vars(sys.modules[place]), name))
    for table in getattr(sys.modules.get("torch._decomp"), "global_decomposition_table", {}).values():
        for overload in table:
            written_out.setdefault(bare(overload.name()), []).append((table, overload))
    return Known("".join(f"\n_{name}_" for name in operators) + "\n", operators, written_out)


def bare(operator: str) -> str:
    """Return an operator's name without its namespace, its overload and the underscores around it."""
    return operator.rpartition("::")[2].partition(".")[0].strip("_")


def named_after(shortcuts: list[str]) -> dict[str, str]:
    """Return the operators' names that hold a listed operator's name, each with that shortcut.

    Private ones bear longer names: native_layer_norm, _scaled_dot_product_attention_math. What goes back through an
    operator is none.
    """
    text, operators = prepare().text, prepare().operators
    found: dict[str, str] = {}
    listed = [name for name in shortcuts if name.rpartition(".")[0] in PLACES]
    short = {bare(name.rpartition(".")[2]): name for name in reversed(listed)}
    for word in sorted(short, key=len, reverse=True):
        at = text.find(f"_{word}_")
        while at >= 0:
            start, end = text.rindex("\n", 0, at + 1), text.index("\n", at)
            name = text[start + 2 : end - 1]
            if name == word or "backward" not in name:
                found.setdefault(name, short[word])
            at = text.find(f"_{word}_", end)
    return found | {name: shortcut for name, shortcut in short.items() if name in operators}


def take_over(shortcuts: list[str]) -> None:
    """Take over, silently, what shortcuts stand for: done once, before any fork."""
    for name in named_after(shortcuts):
        _silent[name] = _taken_over(name)


def watch(shortcuts: list[str], noting: Callable[[str], Note]) -> dict[str, str]:
    """Note each use of what shortcuts stand for: of operators, and of what torch has in the place of operators.

    Returns the operators' names, each with its shortcut. torch 2.8 does not tell its kernels: there none is watched.
    """
    wanted = named_after(shortcuts)
    for name, shortcut in wanted.items():
        give = _silent.get(name) or _taken_over(name)
        give(noting(shortcut))
    _silent.clear()  # the student's code comes next, and is not to find them
    return wanted


def _taken_over(name: str) -> Callable[[Note], None]:
    """Take over an operator's kernels and what is written out in its place; return what gives all of these a note."""
    import torch

    note: Note = _nothing  # one variable for all of them, which nothing but what is returned here can set

    def give(found: Note) -> None:
        nonlocal note
        hide(found)
        note = found

    def noting_kernel(kernel: Any) -> Callable[..., Any]:
        hidden = hide(kernel)

        def noted(keys: Any, *args: Any, **kwargs: Any) -> Any:
            note()
            return ctypes.cast(hidden, ctypes.py_object).value.call_boxed(keys, *args, **kwargs)

        hide(noted)
        return noted

    if hasattr(torch._C, "_dispatch_get_computed_kernel_for_dispatch_key"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that kernels are taken over is what we are here for
            for operator, key in prepare().operators.get(name, ()):
                _take_over(operator, key, noting_kernel)
        for table, entry in prepare().written_out.get(name, ()):
            table[entry] = noting_function(table[entry], lambda: note())
    return give


def _nothing() -> None:
    pass


def _take_over(operator: str, key: str, noting_kernel: Callable[[Any], Callable[..., Any]]) -> None:
    import torch

    place = "CPU" if key in COMPOSITE else "AutogradCPU" if key == "Autograd" else key
    try:
        kernel = torch._C._dispatch_get_computed_kernel_for_dispatch_key(operator, getattr(torch.DispatchKey, place))
        space, _, name = operator.partition("::")
        entry = torch._C._dispatch_library("IMPL", space, key, "", 0)
        entry.impl(name, key, noting_kernel(kernel), True)  # type: ignore[call-arg]
    except RuntimeError:  # nothing that can be called from here
        return
    hide(entry)  # with its last reference the kernel would leave the table


def noting_function(function: Callable[..., Any], note: Note) -> Callable[..., Any]:
    """Return a function that notes each call of another, with the name and the words of that one."""
    hidden = hide(function)

    def noted(*args: Any, **kwargs: Any) -> Any:
        note()
        return ctypes.cast(hidden, ctypes.py_object).value(*args, **kwargs)

    del functools.update_wrapper(noted, function).__wrapped__  # the original is nobody's business
    return noted


def hide(thing: Any) -> ctypes.c_void_p:
    """Return where something lies, which from now on lives forever; the collector lists neither it nor its closure."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    _unlist(thing)
    return ctypes.c_void_p(id(thing))


def _unlist(thing: Any) -> None:
    if gc.is_tracked(thing):
        ctypes.pythonapi.PyObject_GC_UnTrack(ctypes.py_object(thing))
    for cell in getattr(thing, "__closure__", None) or ():
        _unlist(cell)
        if isinstance(cell.cell_contents, FunctionType):
            _unlist(cell.cell_contents)
