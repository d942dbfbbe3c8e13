"""Which parts of a source run when it is imported by the grader, and which imports there may fail and be got over."""

from __future__ import annotations

import ast

GUARDS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
FLAGS = ("TYPE_CHECKING", "__name__")


class Unreached:
    """Tells which branches of a source never run here: those for a type checker, and for a file that is started.

    None does in a source that gives one of the names on which that hangs another meaning.
    """

    def __init__(self, tree: ast.Module) -> None:
        nodes = list(ast.walk(tree))
        plain = {id(target) for node in nodes for target in _set_to_false(node)}
        self._trusted = not any(_rebinds(node) for node in nodes if id(node) not in plain)

    def branches(self, node: ast.If) -> list[ast.stmt]:
        """Return the statements of an `if` that never run."""
        holds = self.truth(node.test)
        return node.body if holds is False else node.orelse if holds is True else []

    def truth(self, test: ast.expr) -> bool | None:
        """Return what a condition always is while the grader runs, or None where that depends."""
        match test:
            case ast.Constant():
                return bool(test.value)
            case ast.UnaryOp(op=ast.Not()):
                holds = self.truth(test.operand)
                return None if holds is None else not holds
            case ast.BoolOp(op=kind):
                parts = [self.truth(part) for part in test.values]
                decisive = isinstance(kind, ast.Or)
                return decisive if decisive in parts else None if None in parts else not decisive
            case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING") if self._trusted:
                return False
            case ast.Compare(ops=[ast.Eq() | ast.NotEq() as kind], left=left, comparators=[right]) if self._trusted:
                if _is_main(left, right) or _is_main(right, left):
                    return isinstance(kind, ast.NotEq)
        return None


def _is_main(name: ast.expr, text: ast.expr) -> bool:
    match name, text:
        case ast.Name(id="__name__"), ast.Constant(value="__main__"):
            return True
    return False


def _set_to_false(node: ast.AST) -> list[ast.expr]:
    """Return the targets of an assignment of False, which stands in many sources in the place of an import."""
    match node:
        case ast.Assign(targets=targets, value=ast.Constant(value=False)):
            return targets
    return []


def _rebinds(node: ast.AST) -> bool:
    """Whether a node gives one of the flags another meaning, or could, where it has its name as a text."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in FLAGS and not isinstance(node.ctx, ast.Load)
        case ast.ImportFrom(module="typing" | "typing_extensions", level=0):
            return False
        case ast.ImportFrom(names=names, level=level):
            return any(alias.name in FLAGS or (level and alias.name == "*") for alias in names)
        case ast.alias(asname=name):
            return name in FLAGS
    values = [value for _, value in ast.iter_fields(node)]
    words = [word for value in values for word in (value if isinstance(value, list) else [value])]
    return any(word in FLAGS for word in words if isinstance(word, str))


def is_guard(node: ast.Try | ast.TryStar) -> bool:
    """Whether a `try` goes on where an import in it fails."""
    return any(_catches(handler.type) for handler in node.handlers)


def suppresses(node: ast.With) -> bool:
    """Whether a `with` is `contextlib.suppress` of what a failed import raises."""
    for item in node.items:
        match item.context_expr:
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=kinds):
                if any(map(_catches, kinds)):
                    return True
    return False


def _catches(kind: ast.expr | None) -> bool:
    match kind:
        case None:
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in GUARDS
        case ast.Tuple(elts=kinds):
            return any(map(_catches, kinds))
    return False
