"""What can be said of a source without running it: its syntax, its imports, and the library names it uses."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from . import reaches, unreadable
from .reached import Unreached, is_guard, suppresses

PACKAGE = "exercises"  # what a submission's modules are parts of, while they are graded
MAX_FACTS = 20_000
MAX_REFUSED = 50  # imports of a kind; more say no more
MAX_NAME = 60  # characters of a name


@dataclass(frozen=True)
class Allowed:
    """What a source may import."""

    packages: Collection[str] = ()  # by the first part of their names, besides the standard library
    modules: Collection[str] = ()  # of the submission, that lie beside it


def read(data: bytes, allowed: Allowed) -> dict[str, Any]:
    """Return `error` (line and message, or None), and what a source that can be read asks for.

    `imports`: [dotted name, line, top-level definition] of what is imported when it runs; `uses`: the same of names out
    of libraries; `refused`: [name, line] of imports that are not allowed and that nothing gets over; `absent`: the same
    of modules of the submission that are not there; `blocked`: the packages that are not allowed, and asked for where
    that never runs or may fail; `untouched`: that no function has been written yet; `reaches`: what looks as if it got
    around something.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unread(line, "the file is not UTF-8 text; save it with the encoding UTF-8")
    try:
        tree = ast.parse(data)
    except SyntaxError as error:
        return _unread(*unreadable.explained(error, data.decode("utf-8-sig")))
    except (ValueError, MemoryError, RecursionError) as error:
        return _unread(1, f"Python cannot read the file: {error}")
    reader = _Reader(allowed, Unreached(tree))
    try:
        for node in tree.body:
            reader.place = getattr(node, "name", "")
            reader.visit(node)
        reached = reaches.read(tree)
    except RecursionError:
        return _unread(1, "an expression is nested too deep")
    if len(reader.imports) + len(reader.uses) + len(reader.blocked) > MAX_FACTS:
        return _unread(1, "the file uses imported names more often than any solution would")
    return {
        "error": None,
        "untouched": untouched(tree),
        "imports": reader.imports,
        "uses": reader.uses,
        "refused": reader.refused[:MAX_REFUSED],
        "absent": reader.absent[:MAX_REFUSED],
        "blocked": sorted(reader.blocked)[:MAX_REFUSED],
        "reaches": reached,
    }


def _unread(line: int, message: str) -> dict[str, Any]:
    return {"error": [line, message], "imports": [], "uses": []}


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

    def __init__(self, allowed: Allowed, unreached: Unreached) -> None:
        self.allowed, self.unreached = allowed, unreached
        self.place = ""
        self.imports: list[list[Any]] = []
        self.uses: list[list[Any]] = []
        self.refused: list[list[Any]] = []
        self.absent: list[list[Any]] = []
        self.blocked: set[str] = set()
        self.aliases: dict[str, str] = {}
        self._never = self._guarded = False  # whether what is being read never runs, and whether its imports may fail

    # ── what runs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        never = self.unreached.branches(node)
        for branch in (node.body, node.orelse):
            self._within(branch, never=branch is never or self._never)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        guard = is_guard(node)
        fails = guard and any(self._refused_in(one) for top in node.body for one in ast.walk(top))
        self._within(node.body, guarded=guard or self._guarded)
        for handler in node.handlers:  # of a guard whose imports are all there, it never runs
            self._within([handler], guarded=(guard and not fails) or self._guarded)
        self._within(node.orelse, guarded=fails or self._guarded)
        self._within(node.finalbody)

    def visit_TryStar(self, node: ast.TryStar) -> None:
        self.visit_Try(node)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            self.visit(item)
        self._within(node.body, guarded=suppresses(node) or self._guarded)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args, *filter(None, [node.returns]), *getattr(node, "type_params", [])):
            self.visit(part)
        self._within(node.body, guarded=False)  # it is called later, and elsewhere

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def _within(self, nodes: list[Any], never: bool | None = None, guarded: bool | None = None) -> None:
        before = self._never, self._guarded
        self._never = self._never if never is None else never
        self._guarded = self._guarded if guarded is None else guarded
        for node in nodes:
            self.visit(node)
        self._never, self._guarded = before

    # ── imports ───────────────────────────────────────────────────────────────────────────────────────────────────

    def visit_Import(self, node: ast.Import) -> None:
        self._judge(node)
        if self._never:
            return
        for alias in node.names:
            self.imports.append([alias.name, node.lineno, self.place])
            self.aliases[alias.asname or alias.name.split(".")[0]] = (
                alias.name if alias.asname else alias.name.split(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._judge(node)
        if self._never or node.level:
            return
        self.imports.append([node.module or "", node.lineno, self.place])
        for alias in node.names:
            self.aliases[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def _judge(self, node: ast.Import | ast.ImportFrom) -> None:
        """Note of an import what is not allowed: for good, or where it never runs or may fail, to be kept away."""
        spared = self._never or self._guarded
        for name in self._refused_in(node):
            if spared:
                self.blocked.add(name[:MAX_NAME])
            else:
                self.refused.append([name[:MAX_NAME], node.lineno])
        if not spared:
            self.absent += [[name[:MAX_NAME], node.lineno] for name in self._absent_in(node)]

    def _refused_in(self, node: ast.AST) -> list[str]:
        """Return the packages that an import asks for and that are not allowed."""
        match node:
            case ast.Import(names=names):
                tops = [alias.name.partition(".")[0] for alias in names]
            case ast.ImportFrom(module=str(module), level=0):
                tops = [module.partition(".")[0]]
            case _:
                return []
        own = (PACKAGE, *self.allowed.packages)
        return [top for top in tops if top not in own and top not in sys.stdlib_module_names]

    def _absent_in(self, node: ast.Import | ast.ImportFrom) -> list[str]:
        """Return the modules of the submission that an import asks for and that are not there."""
        parts: list[str] = []
        match node:
            case ast.Import(names=names):
                dotted = [alias.name.split(".") for alias in names]
                parts = [name[1] for name in dotted if name[0] == PACKAGE and len(name) > 1]
            case ast.ImportFrom(level=level) if level > 1:
                return ["." * level + (node.module or "")]
            case ast.ImportFrom(module=module, level=level, names=names):
                path = [PACKAGE] * level + (module.split(".") if module else [])
                if path[:1] == [PACKAGE]:
                    parts = path[1:2] or [alias.name for alias in names if alias.name != "*"]
        return [part for part in parts if part not in self.allowed.modules]

    # ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = self._dotted(node)
        if dotted and not self._never:
            self.uses.append([dotted, node.lineno, self.place])
        elif not dotted:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.aliases and not self._never:
            self.uses.append([self.aliases[node.id], node.lineno, self.place])

    def _dotted(self, node: ast.AST) -> str | None:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in self.aliases:
            return ".".join([self.aliases[node.id], *reversed(parts)])
        return None
