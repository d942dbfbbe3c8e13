"""Right submissions whose answers are spoiled on the way out: of the right type and shape, and odd in one way."""

from __future__ import annotations

FOOTER = """

import functools as _functools
import inspect as _inspect
import sys as _sys

import torch as _torch


def _nan(value):
    return _torch.full_like(value, float("nan")) if value.is_floating_point() else value


def _tiny(value):
    return value * 1e-30 if value.is_floating_point() else value


def _odd(value):
    return value.to(_torch.complex64 if value.is_floating_point() else _torch.uint16)


_NUMBERS = {"nan": float("nan"), "tiny": 1e-300, "odd": -0.0}


def _spoiled(value, depth=0):
    if type(value) in (_torch.Tensor, float) and "spoiled" in _sys.modules:
        _sys.modules["spoiled"].numbers.append(value)
    if type(value) is _torch.Tensor:
        return globals()["_" + _KIND](value.detach())
    if type(value) is float:
        return _NUMBERS[_KIND]
    if type(value) in (list, tuple) and depth < 4:
        return type(value)(_spoiled(item, depth + 1) for item in value)
    if type(value) is dict and depth < 4:
        return {key: _spoiled(item, depth + 1) for key, item in value.items()}
    return value


def _spoiling(function):
    @_functools.wraps(function)
    def call(*args, **kwargs):
        return _spoiled(function(*args, **kwargs))

    return call


for _name, _value in list(globals().items()):
    if _inspect.isfunction(_value) and _value.__module__ == __name__ and not _name.startswith("_"):
        globals()[_name] = _spoiling(_value)
    elif _inspect.isclass(_value) and _value.__module__ == __name__:
        for _part, _method in list(vars(_value).items()):
            if _inspect.isfunction(_method) and (not _part.startswith("_") or _part in ("__call__", "__getitem__")):
                setattr(_value, _part, _spoiling(_method))
"""
KINDS = ("odd", "nan", "tiny")
numbers: list[object] = []  # that were spoiled inside the judge: there this module is known


def spoiled(solution: str, kind: str) -> str:
    """Return a solution's source whose functions and methods give spoiled answers."""
    return f"{solution}{FOOTER.replace('_KIND', repr(kind))}"
