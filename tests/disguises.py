"""Copies in disguise: what somebody does to another's module so that it looks like their own."""

from __future__ import annotations

import ast
import builtins
import random

KEPT = set(dir(builtins)) | {"torch", "nn", "F", "np", "numpy", "math", "self", "cls", "super"}


def reformatted(source: str) -> str:
    """Return the module with other layout and no comments."""
    return ast.unparse(ast.parse(source)) + "\n"


def without_docstrings(source: str) -> str:
    """Return the module with other docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Expr(ast.Constant("Written by myself."))
    return ast.unparse(tree) + "\n"


def renamed(source: str, contract: frozenset[str] = frozenset()) -> str:
    """Return the module with every name of the author's own replaced."""
    tree = ast.parse(source)
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {
        n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("__")
    }
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    own -= KEPT | contract | keywords
    new = {name: f"mine_{place}" for place, name in enumerate(sorted(own))}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = new.get(node.arg, node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.name = new.get(node.name, node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            node.attr = new.get(node.attr, node.attr)
    return ast.unparse(tree) + "\n"


def rearranged(source: str, seed: int = 1) -> str:
    """Return the module with its functions and classes, and the methods in them, in another order."""
    tree, dice = ast.parse(source), random.Random(seed)
    for node in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        places = [at for at, each in enumerate(node.body) if isinstance(each, ast.FunctionDef | ast.ClassDef)]
        order = places[:]
        dice.shuffle(order)
        moved = [node.body[at] for at in order]
        for at, each in zip(places, moved, strict=True):
            node.body[at] = each
    return ast.unparse(tree) + "\n"


def padded(source: str, every: int = 3) -> str:
    """Return the module with a statement that does nothing after every third one."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = []
            for at, each in enumerate(node.body, start=1):
                body.append(each)
                if at % every == 0 and at < len(node.body):
                    body.append(ast.parse("assert True").body[0])
            node.body = body
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def half(source: str, other: str) -> str:
    """Return the module with every second function or class replaced by another author's of the same name."""
    tree = ast.parse(source)
    kinds = (ast.FunctionDef, ast.ClassDef)
    theirs = {node.name: node for node in ast.parse(other).body if isinstance(node, kinds)}
    shared = [at for at, each in enumerate(tree.body) if isinstance(each, kinds) and each.name in theirs]
    for at in shared[::2]:
        tree.body[at] = theirs[tree.body[at].name]  # type: ignore[attr-defined]
    return ast.unparse(tree) + "\n"
