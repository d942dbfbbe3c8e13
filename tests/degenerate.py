"""Degenerate submissions, made from a solution: its functions answer without thinking, its constructors work."""

from __future__ import annotations

import ast

KINDS = ("zeros", "input", "noise", "scalar", "none")

HELPERS = """
import numbers as _numbers
import random as _random

import torch as _torch


def _first(args, kwargs):
    found = [value for value in [*args, *kwargs.values()] if not isinstance(value, _torch.nn.Module)]
    return found[0] if found else None


def _zeros(args, kwargs):
    value = _first(args, kwargs)
    if isinstance(value, _torch.Tensor):
        return _torch.zeros_like(value)
    if isinstance(value, str):
        return []
    return 0 if isinstance(value, _numbers.Number) else type(value)() if value is not None else 0


def _input(args, kwargs):
    return _first(args, kwargs)


def _noise(args, kwargs):
    value = _first(args, kwargs)
    if isinstance(value, _torch.Tensor) and value.is_floating_point():
        return _torch.randn_like(value)
    if isinstance(value, str):
        return [_random.randrange(256) for _ in value]
    return _torch.randn(3, 3)


def _scalar(args, kwargs):
    return _torch.tensor(0.5)


def _none(args, kwargs):
    return None
"""


def degenerate(solution: str, kind: str) -> str:
    """Return the solution's source with the body of every function and method but `__init__` replaced."""
    tree = ast.parse(solution)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            _hollow(node, kind, method=False)
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and part.name != "__init__":
                    _hollow(part, kind, method=True)
    helpers = ast.parse(HELPERS).body
    after_imports = next(
        (i for i, node in enumerate(tree.body) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign)), 0
    )
    tree.body[after_imports:after_imports] = helpers
    return ast.unparse(ast.fix_missing_locations(tree))


def _hollow(node: ast.FunctionDef, kind: str, method: bool) -> None:
    if any(isinstance(decorator, ast.Name) and decorator.id == "property" for decorator in node.decorator_list):
        return
    static = any(isinstance(d, ast.Name) and d.id in ("staticmethod",) for d in node.decorator_list)
    first = "self, " if method and not static else ""
    signature = ast.parse(f"def f({first}*args, **kwargs): return _{kind}(args, kwargs)").body[0]
    assert isinstance(signature, ast.FunctionDef)
    node.args, node.body, node.returns = signature.args, signature.body, None
