"""Values as Python code: short ones in place, larger ones by a name under which they are kept beside it.

Nothing here is code of anybody's: what a worker sent appears as the literal of a plain value, or not at all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import fixtures

LONGEST_TEXT = 200  # characters of a text that stands in the code
MOST_ITEMS = 40
MOST_NUMBERS = 24  # of a tensor that stands in the code
MOST_KEPT = 8 * 2**20  # bytes of all that is kept for one check
DEEPEST = 6


class CannotSpell(Exception):
    """A value that is no plain one."""


class Speller:
    """Spells the values of one check, and keeps those that are too large."""

    def __init__(self, other: Callable[[Any], str | None]) -> None:
        """`other` gives the code for what is no plain value, and for values that have a name already, or None."""
        self._other = other
        self.kept: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._size = 0

    def spell(self, value: Any, depth: int = 0) -> str:
        """Return the code that makes a value. Raises CannotSpell."""
        known = self._other(value)
        if known is not None:
            return known
        if depth > DEEPEST:
            return self._keep(value)
        kind = type(value)
        if value is None or kind is bool or kind is int:
            return repr(value)
        if kind is float:
            return repr(value) if math.isfinite(value) else f'float("{value}")'
        if kind in (str, bytes, bytearray):
            return repr(value) if len(value) <= LONGEST_TEXT else self._keep(value)
        if kind in (list, tuple, set, frozenset, dict):
            return self._container(value, depth + 1)
        if kind.__module__.startswith("torch"):
            return self._torch(value)
        if kind.__module__.startswith("numpy") and hasattr(value, "dtype"):
            tensor = _as_tensor(value)
            return f"{self._torch(tensor)}.numpy(){'' if getattr(value, 'ndim', 0) else '[()]'}"
        raise CannotSpell

    def _container(self, value: Any, depth: int) -> str:
        if len(value) > MOST_ITEMS and _is_plain(value):
            return self._keep(value)
        if type(value) is dict:
            pairs = [f"{self.spell(key, depth)}: {self.spell(item, depth)}" for key, item in value.items()]
            return f"{{{', '.join(pairs)}}}"
        items = [self.spell(item, depth) for item in value]
        if type(value) is list:
            return f"[{', '.join(items)}]"
        if type(value) is tuple:
            return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        return f"{type(value).__name__}([{', '.join(items)}])"

    def _torch(self, value: Any) -> str:
        import torch

        if isinstance(value, torch.dtype):
            return str(value)
        if isinstance(value, torch.device):
            return f'torch.device("{value}")'
        if isinstance(value, torch.Size):
            return self.spell(tuple(value))
        if not isinstance(value, torch.Tensor):
            raise CannotSpell
        plain = value.detach().cpu()
        if plain.numel() > MOST_NUMBERS or plain.is_complex() or plain.layout is not torch.strided:
            return self._keep(plain)
        dtype = "" if plain.dtype in (torch.float32, torch.int64, torch.bool) else f", dtype={plain.dtype}"
        if not plain.numel():
            size = ", ".join(map(str, plain.shape))
            return f"torch.empty({size}, dtype={plain.dtype})"
        return f"torch.tensor({_numbers(plain)}{dtype})"

    def _keep(self, value: Any) -> str:
        """Return the name under which a value is kept; one that is the same object keeps its name."""
        if id(value) in self._names:
            return self._names[id(value)]
        if isinstance(value, bytes) and (file := _fixture(value)):
            return f"fixture({file!r})"
        self._size += _size(value)
        if self._size > MOST_KEPT:
            raise CannotSpell
        name = f"x{len(self.kept) + 1}"
        self.kept[name] = value
        self._names[id(value)] = name
        return name


def _numbers(tensor: Any) -> str:
    """Return a tensor's numbers as nested lists, each with as few digits as tell it from its neighbours."""
    import torch

    if tensor.dim():
        return f"[{', '.join(map(_numbers, tensor))}]"
    if not tensor.is_floating_point():
        return repr(tensor.item())
    number = tensor.item()
    if not math.isfinite(number):
        return f'float("{number}")'
    text = repr(number)
    if tensor.dtype is not torch.float64:
        text = next(short for digits in range(1, 18) if torch.tensor(float(short := f"{number:.{digits}g}"), dtype=tensor.dtype) == tensor)  # fmt: skip  # noqa: E501
    return text if any(sign in text for sign in ".en") else f"{text}.0"


def _as_tensor(array: Any) -> Any:
    import numpy
    import torch

    try:
        return torch.from_numpy(numpy.array(array))
    except TypeError:
        raise CannotSpell from None


def _is_plain(value: Any) -> bool:
    """Whether a large container holds nothing that stays in the worker, so that it can be kept as it is."""
    import torch

    plain = (type(None), bool, int, float, str, bytes, torch.Tensor)
    parts = [*value, *value.values()] if type(value) is dict else list(value)
    return all(type(part) in plain or (type(part) in (list, tuple, dict, set) and _is_plain(part)) for part in parts)


def _size(value: Any) -> int:
    import torch

    if isinstance(value, torch.Tensor):
        return int(value.numel() * value.element_size())
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value)) + sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list | tuple | set | frozenset) else 8


def _fixture(data: bytes) -> str:
    """Return the path of a fixture that holds just this, below fixtures/, or nothing."""
    digest = hashlib.sha256(data).digest()
    for path in fixtures.FOLDER.rglob("*"):
        if path.is_file() and path.stat().st_size == len(data) and hashlib.sha256(path.read_bytes()).digest() == digest:
            return path.relative_to(fixtures.FOLDER).as_posix()
    return ""
