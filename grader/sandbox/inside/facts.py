"""What can be said of a source without running it: its syntax, its imports, and the library names it uses."""

from __future__ import annotations

import ast
from typing import Any

from . import reaches

MAX_FACTS = 20_000


def read(data: bytes) -> dict[str, Any]:
    """Return `error` (line and message, or None), `imports` and `uses` as [dotted name, line, top-level definition].

    `untouched` says that no function has been written yet, `reaches` what looks as if it got around something.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return {
            "error": [line, "the file is not UTF-8 text; save it with the encoding UTF-8"],
            "imports": [],
            "uses": [],
        }
    try:
        tree = ast.parse(data)
    except SyntaxError as error:
        return {"error": [error.lineno or 1, f"a syntax error: {error.msg}"], "imports": [], "uses": []}
    except (ValueError, MemoryError, RecursionError) as error:
        return {"error": [1, f"Python cannot read the file: {error}"], "imports": [], "uses": []}
    reader = _Reader()
    try:
        for node in tree.body:
            reader.place = getattr(node, "name", "")
            reader.visit(node)
        reached = reaches.read(tree)
    except RecursionError:
        return {"error": [1, "an expression is nested too deep"], "imports": [], "uses": []}
    if len(reader.imports) + len(reader.uses) > MAX_FACTS:
        return {
            "error": [1, "the file uses imported names more often than any solution would"],
            "imports": [],
            "uses": [],
        }
    found = {"imports": reader.imports, "uses": reader.uses, "reaches": reached}
    return {"error": None, "untouched": untouched(tree), **found}


def untouched(tree: ast.Module) -> bool:
    """Whether every function of a module does nothing but raise NotImplementedError with a task's id."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    others = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.AnnAssign)
    for node in tree.body:
        if isinstance(node, ast.Assign):  # names of types and constants; a function's name would be somebody's work
            if not all(isinstance(target, ast.Name) and target.id[0].isupper() for target in node.targets):
                return False
        elif not isinstance(node, others) and not _is_text(node):
            return False
    return bool(functions) and all(_is_unwritten(function) for function in functions)


def _is_unwritten(function: ast.FunctionDef) -> bool:
    *before, last = function.body
    match last:
        case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str())])):
            return all(_is_text(node) or _calls_super(node) for node in before)
    return False


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _calls_super(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node) == "super().__init__()"


class _Reader(ast.NodeVisitor):
    """Collects imports, and attribute chains with the aliases of imports resolved."""

    def __init__(self) -> None:
        self.place = ""
        self.imports: list[list[Any]] = []
        self.uses: list[list[Any]] = []
        self.aliases: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imports.append([alias.name, node.lineno, self.place])
            self.aliases[alias.asname or alias.name.split(".")[0]] = (
                alias.name if alias.asname else alias.name.split(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            return
        self.imports.append([node.module or "", node.lineno, self.place])
        for alias in node.names:
            self.aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = self._dotted(node)
        if dotted:
            self.uses.append([dotted, node.lineno, self.place])
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.aliases:
            self.uses.append([self.aliases[node.id], node.lineno, self.place])

    def _dotted(self, node: ast.AST) -> str | None:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in self.aliases:
            return ".".join([self.aliases[node.id], *reversed(parts)])
        return None
