"""Mutants made by rule: one small change to a solution's syntax tree each.

What a contract leaves open is left alone: docstrings, annotations, imports, and the words of an error message.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
ORDERED = (ast.Sub, ast.Div, ast.MatMult, ast.FloorDiv, ast.Mod, ast.Pow)  # whose sides may not change places
# A method that hands on what it is called on, in another form; and a function that does so with its first argument.
REMOVABLE = {
    *("contiguous", "clone", "detach", "copy", "to", "float", "double", "long", "type_as", "astype", "cpu", "int"),
    *("strip", "lower", "abs", "sqrt", "exp", "log", "tril", "triu", "transpose", "flip", "clamp", "clamp_min"),
    *("sorted", "list", "tuple", "set", "min", "max", "reversed", "round", "dict", "bytes", "sum", "mean", "item"),
    *("log_softmax", "softmax", "dropout", "masked_fill", "masked_fill_", "unsqueeze", "squeeze", "unsqueeze_"),
}
SYMMETRIC = {
    *("isinstance", "transpose", "swapaxes", "isclose", "equal", "min", "max", "minimum", "maximum", "promote_types")
}
OFTEN_BARE = {"super", "len", "range", "isinstance", "zip", "print", "getattr", "setattr"}
Place = tuple[tuple[str, int | None], ...]  # how to come from the root of a tree to a node of it


@dataclass(frozen=True)
class Generated:
    """A mutant made by rule."""

    milestone: str
    name: str  # "line | operator: before → after", with a number where that stands more than once
    owner: str  # the top-level function, class, or Class.method that the change is in; "" for the module
    source: str = field(repr=False, compare=False)


def generate(milestone: str, source: str) -> list[Generated]:
    """Return all mutants of a solution, in the order of its text. Their names do not depend on where a line stands."""
    tree = ast.parse(source)
    lines = source.splitlines()
    seen: Counter[str] = Counter()
    texts = {ast.unparse(tree)}
    found = []
    for place, owner, line in list(_places(tree)):
        node, parent = _at(tree, place), _at(tree, place[:-1])
        for operator, new, after in list(_changes(node, parent, place[-1][0])):
            text = _with(parent, place[-1], new, tree)
            if text in texts:
                continue  # two ways to one text
            texts.add(text)
            name = (
                f"{lines[line - 1].split('  #')[0].strip()} | {operator}: {_short(ast.unparse(node))} → {_short(after)}"
            )
            seen[name] += 1
            if seen[name] > 1:
                name += f" #{seen[name]}"
            found.append(Generated(milestone, name, owner, text))
    return found


# ── where ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _places(tree: ast.Module) -> Iterator[tuple[Place, str, int]]:
    """Yield every node worth changing, with its owner and its line."""
    yield from _below(tree, (), "", 1)


def _below(node: ast.AST, place: Place, owner: str, line: int) -> Iterator[tuple[Place, str, int]]:
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment"):
            continue
        parts = value if isinstance(value, list) else [value]
        for index, part in enumerate(parts):
            if not isinstance(part, ast.AST) or _left_alone(part):
                continue
            below = (*place, (name, index if isinstance(value, list) else None))
            inner = owner
            if isinstance(part, ast.FunctionDef | ast.ClassDef) and owner.count(".") < 1:
                inner = f"{owner}.{part.name}" if owner and isinstance(node, ast.ClassDef) else owner or part.name
            at = getattr(part, "lineno", line)
            yield below, inner, at
            if not isinstance(part, ast.Raise):
                yield from _below(part, below, inner, at)


def _left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript):
        # A name for a type, such as Pair = tuple[Tensor, Tensor].
        return isinstance(node.value.value, ast.Name) and node.value.value.id in ("tuple", "list", "dict", "Callable")
    return False


def _at(tree: ast.AST, place: Place) -> ast.AST:
    node = tree
    for name, index in place:
        value = getattr(node, name)
        node = value if index is None else value[index]
    return node


def _with(parent: ast.AST, slot: tuple[str, int | None], new: ast.AST | list[ast.stmt], tree: ast.Module) -> str:
    """Return the text of the tree with another node, or a list of statements, in a slot of one of its nodes."""
    name, index = slot
    kept = getattr(parent, name)
    if index is None:
        setattr(parent, name, new)
    else:
        setattr(parent, name, [*kept[:index], *(new if isinstance(new, list) else [new]), *kept[index + 1 :]])
    try:
        return ast.unparse(tree)
    finally:
        setattr(parent, name, kept)


def _short(text: str, width: int = 60) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


# ── what ──────────────────────────────────────────────────────────────────────────────────────────────────────────


Change = tuple[str, "ast.AST | list[ast.stmt]", str]  # the operator, what takes the place, and how it reads


def _changes(node: ast.AST, parent: ast.AST, role: str) -> Iterator[Change]:
    if isinstance(node, ast.stmt):
        yield from _statements(node, parent)
    elif role == "decorator_list":
        if not (isinstance(node, ast.Name) and node.id in ("property", "staticmethod", "classmethod", "dataclass")):
            yield "decorator dropped", [], "nothing"
    elif isinstance(node, ast.expr):
        for operator, new in _expressions(node, parent, role):
            yield operator, new, ast.unparse(new)


def _statements(node: ast.stmt, parent: ast.AST) -> Iterator[Change]:
    droppable = (ast.Expr, ast.AugAssign, ast.Raise, ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.Delete)
    alone = isinstance(parent, ast.If) and parent.body == [node] and not parent.orelse  # dropped with its condition
    if (isinstance(node, droppable) and not alone) or (
        isinstance(node, ast.Assign) and not all(isinstance(target, ast.Name) for target in node.targets)
    ):
        yield "dropped", [ast.Pass()], "nothing"
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Tuple):
        names = node.targets[0].elts
        if isinstance(node.value, ast.Tuple) and len(names) == len(node.value.elts):
            for left in range(len(names)):
                new = copy.deepcopy(node)
                assert isinstance(new.targets[0], ast.Tuple) and isinstance(new.value, ast.Tuple)
                rest = [index for index in range(len(names)) if index != left]
                new.targets[0].elts = [new.targets[0].elts[index] for index in rest]
                new.value.elts = [new.value.elts[index] for index in rest]
                yield "dropped part", [new], ast.unparse(new)
    if isinstance(node, ast.With):
        yield "with dropped", copy.deepcopy(node.body), "its body alone"
    if isinstance(node, ast.If) and node.orelse:
        yield "always", copy.deepcopy(node.body), "its first branch alone"
        yield "never", copy.deepcopy(node.orelse), "its other branch alone"
    elif isinstance(node, ast.If) and not isinstance(node.body[0], ast.Raise):
        yield "always", copy.deepcopy(node.body), "its body alone"


def _expressions(node: ast.expr, parent: ast.AST, role: str) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                new = copy.deepcopy(node)
                new.ops[index] = other()
                yield "compare", new
    elif isinstance(node, ast.BinOp):
        yield from _arithmetic(node)
    elif isinstance(node, ast.BoolOp):
        yield "and/or", ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        for value in node.values:
            yield "one side", value
    elif isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            yield from (("constant", value) for value in _neighbours(-node.operand.value))  # type: ignore[operator]
        else:
            yield "sign", node.operand
    elif isinstance(node, ast.Constant):
        negated = isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.USub)
        if isinstance(node.value, bool):
            yield "flag", ast.Constant(not node.value)
        elif isinstance(node.value, int | float) and not negated:
            yield from (("constant", value) for value in _neighbours(node.value))
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Slice):
        for name in ("lower", "upper", "step"):
            if getattr(node, name) is not None:
                new_slice = copy.deepcopy(node)
                setattr(new_slice, name, None)
                yield "slice", new_slice
    elif isinstance(node, ast.IfExp):
        yield "always", node.body
        yield "never", node.orelse
    elif isinstance(node, ast.Tuple) and isinstance(parent, ast.Return) and len(node.elts) == 2:
        yield "swapped", ast.Tuple([node.elts[1], node.elts[0]], ast.Load())
    if role in ("test", "ifs") and not isinstance(node, ast.Compare | ast.UnaryOp):
        yield "negated", ast.UnaryOp(ast.Not(), node)
    if role == "ifs":
        yield "filter dropped", ast.Constant(True)


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, ast.expr]]:
    texts = [part for part in (node.left, node.right) if isinstance(part, ast.JoinedStr)]
    other = ARITHMETIC.get(type(node.op))
    if other is not None and not texts:
        new = copy.deepcopy(node)
        new.op = other()
        yield "arithmetic", new
    if isinstance(node.op, ORDERED):
        new = copy.deepcopy(node)
        new.left, new.right = new.right, new.left
        yield "swapped", new


def _neighbours(value: object) -> list[ast.expr]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    if isinstance(value, float):
        return [ast.Constant(2 * value if value else 1.0)]
    return [
        ast.UnaryOp(ast.USub(), ast.Constant(-near)) if near < 0 else ast.Constant(near)
        for near in (value + 1, value - 1)
    ]


def _calls(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in REMOVABLE:
        torch_like = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        module = torch_like and node.func.value.id in ("torch", "math", "F", "np")  # type: ignore[attr-defined]
        nested = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Attribute)
        functional = nested and node.func.value.attr == "functional"  # type: ignore[attr-defined]
        if isinstance(node.func, ast.Attribute) and not module and not functional:
            yield "call removed", node.func.value
        elif len(node.args) >= 1 and not isinstance(node.args[0], ast.Starred | ast.GeneratorExp):
            yield "call removed", node.args[0]
    for index in range(len(node.keywords)):
        new = copy.deepcopy(node)
        del new.keywords[index]
        yield "keyword dropped", new
    if len(node.args) > 1 and name not in OFTEN_BARE:
        new = copy.deepcopy(node)
        new.args.pop()
        yield "argument dropped", new
    for index in range(len(node.args) - 1):
        if name in SYMMETRIC or any(isinstance(part, ast.Starred) for part in node.args):
            break
        new = copy.deepcopy(node)
        new.args[index], new.args[index + 1] = new.args[index + 1], new.args[index]
        yield "swapped", new
