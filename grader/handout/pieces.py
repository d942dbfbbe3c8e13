"""A module as its top-level statements: what each defines, what it uses, and what is left when some are taken out."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

EVERYTHING = "*"  # as a name that is used of a module: all of it


@dataclass
class Piece:
    """One top-level statement."""

    node: ast.stmt
    defines: set[str]
    uses: set[str]  # plain names that it reads, the arguments of its functions included: fixtures are asked for so
    attributes: set[tuple[str, str]]  # ("oracle", "attention") for oracle.attention
    bare: set[str] = field(default_factory=set)  # names that it reads other than to take an attribute of


@dataclass
class Source:
    """One module of a package whose modules import each other."""

    name: str  # "grader.suites.m04_attention.oracle"
    text: str
    is_package: bool = False  # an __init__.py

    @cached_property
    def pieces(self) -> list[Piece]:
        """The top-level statements in order."""
        return [_piece(node) for node in ast.parse(self.text).body]

    @cached_property
    def defined_in(self) -> dict[str, list[int]]:
        """Which pieces define, or add to, a name."""
        found: dict[str, list[int]] = {}
        for index, piece in enumerate(self.pieces):
            for name in piece.defines:
                found.setdefault(name, []).append(index)
        return found

    @cached_property
    def imports(self) -> dict[str, str]:
        """What each imported name stands for: "oracle" -> "grader.suites.m04_attention.oracle"."""
        found = {}
        for piece in self.pieces:
            if isinstance(piece.node, ast.Import):
                for alias in piece.node.names:
                    found[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(piece.node, ast.ImportFrom):
                package = self.absolute(piece.node)
                for alias in piece.node.names:
                    found[alias.asname or alias.name] = f"{package}.{alias.name}"
        return found

    @cached_property
    def taken(self) -> dict[str, tuple[str, str]]:
        """Where each name that this module takes from another stands: the module and its name there."""
        found: dict[str, tuple[str, str]] = {}
        for node in (piece.node for piece in self.pieces):
            if isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name: (self.absolute(node), alias.name) for alias in node.names}
        return found

    def absolute(self, node: ast.ImportFrom) -> str:
        """Return the full name of the module that an import takes names from."""
        if not node.level:
            return node.module or ""
        above = self.name.split(".")
        above = above[: len(above) - node.level + self.is_package]
        return ".".join([*above, node.module] if node.module else above)

    def without(self, dropped: set[int]) -> str:
        """Return the text without some pieces, the comments right above them, and the imports that nothing else uses.

        The lines that stay are as they were, but for an import of which only some names are left.
        """
        kept = [index for index in range(len(self.pieces)) if index not in dropped]
        used = {name for index in kept for name in self.pieces[index].uses}
        lines: list[str | None] = [*self.text.splitlines(keepends=True)]
        for index, piece in enumerate(self.pieces):
            if index in dropped:
                self._cut(lines, piece.node)
            elif isinstance(piece.node, ast.Import | ast.ImportFrom) and not _is_future(piece.node):
                self._cut_import(lines, piece.node, used)
        return _with_at_most_two_blank_lines(line for line in lines if line is not None)

    def _cut(self, lines: list[str | None], node: ast.stmt) -> None:
        decorators = getattr(node, "decorator_list", [])
        first, last = min([node.lineno, *(d.lineno for d in decorators)]) - 1, node.end_lineno or node.lineno
        while first > 0 and (lines[first - 1] or "").startswith("#"):
            first -= 1
        lines[first:last] = [None] * (last - first)

    def _cut_import(self, lines: list[str | None], node: ast.Import | ast.ImportFrom, used: set[str]) -> None:
        names = [alias for alias in node.names if (alias.asname or alias.name.partition(".")[0]) in used]
        if len(names) == len(node.names):
            return
        first, last = node.lineno - 1, node.end_lineno or node.lineno
        lines[first:last] = [None] * (last - first)
        if names:
            lines[first] = f"{ast.unparse(_importing(node, names))}\n"


def reached(sources: dict[str, Source], roots: Iterable[tuple[str, str]]) -> set[tuple[str, int]]:
    """Return the pieces, as module and number, that some names need: theirs, what these use, and so on.

    A root is a module and a name in it, EVERYTHING for all of it. Statements that define nothing come with any other.
    """
    found: set[tuple[str, int]] = set()
    waiting = list(roots)
    seen: set[tuple[str, str]] = set()
    while waiting:
        where, name = waiting.pop()
        source = sources.get(where)
        if source is None or (where, name) in seen:
            continue
        seen.add((where, name))
        if name == EVERYTHING:
            indices = list(range(len(source.pieces)))
        else:
            indices = source.defined_in.get(name, [])
        always = [index for index, piece in enumerate(source.pieces) if not piece.defines]
        waiting += [source.taken[name]] if name in source.taken else []  # somebody reads it through this module
        for index in {*indices, *always}:
            if (where, index) in found:
                continue
            found.add((where, index))
            waiting += _needed(source, source.pieces[index], sources)
    return found


def _needed(source: Source, piece: Piece, sources: dict[str, Source]) -> list[tuple[str, str]]:
    if isinstance(piece.node, ast.Import | ast.ImportFrom):
        return []  # what is imported is needed where it is used
    found = [(source.name, name) for name in piece.uses]
    for name in piece.uses:
        target = source.imports.get(name)
        if target is None:
            continue
        if target in sources:
            if name in piece.bare:
                found.append((target, EVERYTHING))
            found += [(target, attribute) for base, attribute in piece.attributes if base == name]
        else:
            package, _, last = target.rpartition(".")
            found.append((package, last))
    return found


def _piece(node: ast.stmt) -> Piece:
    uses, attributes, bare = set(), set(), set()
    taken = set()  # the names below attributes, which are not bare
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            attributes.add((part.value.id, part.attr))
            taken.add(part.value)
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
            uses.add(part.id)
            if part not in taken:
                bare.add(part.id)
        elif isinstance(part, ast.arg):
            uses.add(part.arg)
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
            uses.add(part.value)  # an annotation as text, or the argument of a getattr or of usefixtures
    return Piece(node, _defined(node), uses, attributes, bare)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        if _is_future(node):
            return set()
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return set()


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _importing(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.stmt:
    return ast.Import(names) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, names, node.level)


def _with_at_most_two_blank_lines(lines: Iterable[str]) -> str:
    kept: list[str] = []
    for line in lines:
        if line.strip() or [text.strip() for text in kept[-2:]] != ["", ""]:
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    return "".join(kept)
