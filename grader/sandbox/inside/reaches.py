"""What a source reaches for that no milestone asks for: a reason to read it, told to whoever teaches, and no fault."""

from __future__ import annotations

import ast

MAX_LINES = 3  # of each kind; more say no more
KINDS = {
    "private": "reaches into private parts of a library",
    "names": "puts names of functions together while it runs",
    "code": "imports or runs code that is named or made while it runs",
    "interpreter": "looks into the interpreter itself: its modules, frames, closures or objects",
    "system": "works on memory, descriptors or processes below Python",
}
LOOKUPS = {"getattr", "setattr", "delattr", "hasattr", "attrgetter", "methodcaller"}
CODE = {"eval", "exec", "compile", "__import__", "globals", "FunctionType", "CodeType", "CompilationUnit"}
CODE_MODULES = {"importlib", "imp", "runpy", "pkgutil", "marshal", "code", "codeop"}
INTERPRETER_MODULES = {"gc", "inspect", "dis", "ast", "bdb", "faulthandler", "sysconfig"}
INTERPRETER = {
    "meta_path", "_getframe", "_current_frames", "settrace", "setprofile", "addaudithook",
    "__closure__", "cell_contents", "__code__", "__globals__", "__builtins__", "__subclasses__", "__wrapped__",
    "__mro__", "__bases__", "__getattribute__", "__self__", "tb_frame", "f_back", "f_locals", "f_globals", "f_builtins",
    "gi_frame", "co_consts", "co_code",
}  # fmt: skip
PUBLIC = {"_exit", "_asdict", "_replace", "_fields"}  # whatever they look like
OF_SYS = {"modules", "path", "monitoring", "path_hooks"}  # model.modules() is something else
SYSTEM_MODULES = {"ctypes", "_ctypes", "cffi", "mmap", "signal", "subprocess", "multiprocessing", "socket", "fcntl"}
SYSTEM = {"dup", "dup2", "fork", "forkpty", "pipe", "ptrace", "cpp_extension", "load_library", "closerange"}


def read(tree: ast.Module) -> dict[str, list[int]]:
    """Return the kinds of reaching that a source shows, each with the first lines of it."""
    reader = _Reader()
    reader.visit(tree)
    return {kind: sorted(lines)[:MAX_LINES] for kind, lines in reader.found.items()}


class _Reader(ast.NodeVisitor):
    def __init__(self) -> None:
        self.found: dict[str, set[int]] = {}
        self.libraries: set[str] = set()  # names that stand for a library, or something of one
        self.built: set[str] = set()  # names that stand for text that was put together

    def note(self, kind: str, node: ast.AST) -> None:
        self.found.setdefault(kind, set()).add(getattr(node, "lineno", 1))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._module(alias.name, node)
            self.libraries.add(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level == 0:
            self._module(node.module or "", node)
            for alias in node.names:
                self._name(alias.name, node)
                self._private(alias.name, node)
                self.libraries.add(alias.asname or alias.name)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in [target for target in node.targets if isinstance(target, ast.Name)]:
            if self._of_library(node.value):
                self.libraries.add(target.id)
            if _is_built(node.value):
                self.built.add(target.id)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._name(node.id, node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in INTERPRETER or (node.attr in OF_SYS and ast.unparse(node.value) == "sys"):
            self.note("interpreter", node)
        if self._of_library(node.value):
            self._private(node.attr, node)
            self._name(node.attr, node)
            if node.attr == "__dict__":
                self.note("names", node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called in LOOKUPS:
            at = 0 if called in ("attrgetter", "methodcaller") else 1
            name = node.args[at] if len(node.args) > at else None
            built = _is_built(name) or (isinstance(name, ast.Name) and name.id in self.built)
            if built and (at == 0 or self._of_library(node.args[0])):  # in a model, parts are named by where they are
                self.note("names", node)
        if called in ("vars", "dir") and node.args and self._of_library(node.args[0]):
            self.note("names", node)
        if _folds_to_a_name(node):
            self.note("names", node)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if _folds_to_a_name(node):
            self.note("names", node)
        self.generic_visit(node)

    def _module(self, name: str, node: ast.AST) -> None:
        top = name.partition(".")[0]
        for kind, modules in (("code", CODE_MODULES), ("interpreter", INTERPRETER_MODULES), ("system", SYSTEM_MODULES)):
            if top in modules:
                self.note(kind, node)
        for part in name.split(".")[1:]:
            self._private(part, node)
            self._name(part, node)

    def _name(self, name: str, node: ast.AST) -> None:
        if name in CODE and not (name == "compile" and isinstance(node, ast.Attribute)):  # re.compile, torch.compile
            self.note("code", node)
        if name in SYSTEM and not isinstance(node, ast.Name):
            self.note("system", node)

    def _private(self, name: str, node: ast.AST) -> None:
        if name.startswith("_") and not name.startswith("__") and name not in PUBLIC | INTERPRETER:
            self.note("private", node)

    def _of_library(self, node: ast.AST) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.libraries


def _is_built(node: ast.AST | None) -> bool:
    """Whether an expression makes a text while the code runs, and neither is one nor was handed it."""
    if isinstance(node, ast.JoinedStr | ast.BinOp | ast.Subscript):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)


def _folds_to_a_name(node: ast.AST) -> bool:
    """Whether an expression puts a name together out of pieces that stand there, and could have been written out."""
    match node:
        case ast.BinOp(op=ast.Add()):
            pieces = _pieces(node)
            joiner = ""
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(joiner)), attr="join"),
            args=[ast.List(elts=elements) | ast.Tuple(elts=elements)],
        ):
            pieces = [part.value if isinstance(part, ast.Constant) else None for part in elements]
        case _:
            return False
    words = [piece for piece in pieces if isinstance(piece, str)]
    text = joiner.join(words)
    return len(words) == len(pieces) > 1 and len(text) > 3 and all(part.isidentifier() for part in text.split("."))


def _pieces(node: ast.AST) -> list[object]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _pieces(node.left) + _pieces(node.right)
    return [node.value if isinstance(node, ast.Constant) else None]
