"""What the student's code may ask of a function of the judge's: looked at before anything is computed.

What does not fit raises TypeError or ValueError, which the student's code gets to see. So the size of an answer is
known to be bounded before it is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from grader.counting import counted

from .describe import describe
from .outcomes import GraderError

Look = Callable[[Any], Any]
LONGEST = 1000  # characters of a text, or numbers of a list


def looking(function: Callable[..., Any], takes: tuple[Look, ...]) -> Callable[..., tuple[Any, ...]]:
    """Return what looks at the arguments of a function, each by its own look, and returns them in order.

    Raises GraderError for a function with a parameter that nobody looks at.
    """
    signature = inspect.signature(function)
    plain = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_POSITIONAL]
    if len(plain) > len(takes) or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in plain):
        raise GraderError(f"a callback takes {counted(len(plain), 'argument')}, and looks at {len(takes)}")

    def look(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        given = signature.bind(*args, **kwargs).args
        if len(given) > len(takes):
            raise TypeError(f"{counted(len(given), 'argument')}, expected at most {len(takes)}")
        return tuple([check(value) for check, value in zip(takes, given, strict=False)])

    return look


def of(kind: type[Any], longest: int = LONGEST) -> Look:
    """Take a plain bool, int (of 64 bits), float or text, and nothing that only resembles one; NumPy's float is one."""

    def look(value: Any) -> Any:
        if kind is float and isinstance(value, float):
            return float(value)
        if type(value) is not kind:
            raise TypeError(f"the argument is {describe(value)}, expected {_named(kind)}")
        if kind is int and not -(2**63) <= value < 2**63:
            raise ValueError("the argument is an integer of more than 64 bits")
        if kind is str and len(value) > longest:
            raise ValueError(f"the argument is a text of more than {longest:,} characters")
        return value

    return look


def maybe(look: Look) -> Look:
    """Take None, or what `look` takes."""
    return lambda value: None if value is None else look(value)


def whole(value: Any) -> int:
    """Take an int, or a tensor or NumPy number that holds nothing but one."""
    if type(value).__module__.startswith(("torch", "numpy")) and getattr(value, "shape", None) == ():
        value = value.item()
    return int(of(int)(value))


def list_of(look: Look, most: int = 16) -> Look:
    """Take a list of at most so many items."""

    def look_at_all(value: Any) -> list[Any]:
        if type(value) is not list or len(value) > most:
            raise TypeError(f"the argument is {describe(value)}, expected a list of at most {counted(most, 'item')}")
        return [look(item) for item in value]

    return look_at_all


def anything(value: Any) -> None:
    """Take anything, and let the function know nothing of it."""


def ids(*, below: int, most: int, axes: int | None = None) -> Look:
    """Take a tensor of at most `most` ids from 0 to below `below`, of any shape or with so many axes."""

    def look(value: Any) -> Any:
        import torch

        if type(value) is not torch.Tensor or value.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"the ids are {describe(value)}, expected an int64 tensor")
        if value.numel() > most:
            raise ValueError(f"{counted(value.numel(), 'id')} at once, expected at most {most}")
        if axes is not None and value.dim() != axes:
            raise ValueError(f"the ids have shape {list(value.shape)}, expected {counted(axes, 'axis', 'axes')}")
        if value.numel() and not 0 <= int(value.min()) <= int(value.max()) < below:
            raise ValueError(f"ids from {int(value.min())} to {int(value.max())}, expected 0 to {below - 1}")
        return value

    return look


def _named(kind: type[Any]) -> str:
    return {bool: "True or False", int: "an int", float: "a float", str: "a text"}[kind]
