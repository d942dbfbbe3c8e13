"""The scan of a handout: no solution, no secret, no history, no page of the instructor's, no path of this machine."""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import os
import re
import textwrap
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fixtures import manifest as fixtures
from grader.files import read_text
from grader.practice import LONGEST_SEED, SECRET_SEED, SECRET_SEED_FILE
from grader.sandbox.inside.facts import untouched
from grader.syllabus import Milestone

from .contents import REPOSITORY, HandoutError

RUN = 24  # tokens in a row that a text must not share with the body of a solution
SHORTEST = 12  # tokens of a body that is looked for as a whole; what is shorter anybody would write like that
TOP = {
    "exercises", "fixtures", "grader", ".github", "README.md", "AGENTS.md", "LICENSE", "noxfile.py", "pyproject.toml",
    "constraints.txt", "handout.toml", ".gitignore", ".gitattributes",
}  # fmt: skip
NEVER = {"solutions", "tests", "mutants", "alternates", "attacks", "golden", "benchmarks", "docs", "submissions"}
NEVER |= {".git", ".scratchwork", ".nox", ".venv", "__pycache__", "classroom", "handout"}
READS_GIT = re.compile(
    r"grader/classroom/(intake/)?(__init__|git_objects|git_process|git_trees)\.py"
)  # for pull requests
KINDS = {
    "",
    ".py",
    ".md",
    ".toml",
    ".ini",
    ".json",
    ".jsonl",
    ".txt",
    ".csv",
    ".yml",
    ".safetensors",
    ".html",
    ".css",
    ".js",
    ".svg",
}
WORD = re.compile(r"\w+|[^\w\s]")


@dataclass
class Scan:
    """What was looked at, and what was found."""

    files: int = 0
    size: int = 0
    bodies: int = 0
    short: int = 0  # bodies too short to be told from anybody's
    functions: int = 0
    tokens: int = 0
    secrets: int = 0
    found: list[str] = field(default_factory=list)  # one line each; empty: nothing leaks

    def said(self) -> str:
        """Return what was looked at, in words."""
        secrets = f"{self.secrets} secret seeds" if self.secrets else "secret seeds (none is set)"
        return (
            f"Scanned {self.files} files ({self.size / 1e6:.2f} MB) for {self.bodies} bodies of solutions "
            f"({self.short} more are too short to tell) in {self.functions:,} functions and {self.tokens:,} words, "
            f"for names that are not for students, history, {secrets} and paths of this machine: nothing leaks."
        )


def scan(
    files: dict[str, bytes],
    folder: Path,
    solutions: Path = REPOSITORY / "solutions",
    own: Iterable[Milestone] = (),
) -> Scan:
    """Look through a handout that goes into a folder; `own` is what its course brings.

    Raises HandoutError where there are no solutions to look for.
    """
    result = Scan(files=len(files), size=sum(map(len, files.values())))
    known = sorted(solutions.glob("m*.py")) if solutions.is_dir() else []
    if not known:
        raise HandoutError(f"{solutions} has no solutions: without them nobody can say whether one is inside.")
    rooms = [milestone.room for milestone in own]
    known += [milestone.solution for milestone in own]
    bodies = _Bodies(tuple(path.read_text(encoding="utf-8") for path in known), files)
    result.bodies, result.short = bodies.count, bodies.short
    secrets = _secrets()
    result.secrets = len(secrets)
    places = _places(folder, rooms)
    published = {f"fixtures/{entry.path}": entry.sha256 for entry in fixtures.read()}
    for path, data in files.items():
        result.found += [f"{path}: {what}" for what in _of_name(path)]
        result.found += [f"{path}: the secret seed of official runs" for secret in secrets if secret in data]
        if published.get(path) == hashlib.sha256(data).hexdigest():
            continue  # stories and weights, with the bytes that their manifest states
        text = data.decode("utf-8", "replace")
        result.found += [f"{path}: the path {place}" for place in places if place in text]
        result.found += [f"{path}: {what}" for what in bodies.look(path, text, result)]
    return result


def _of_name(path: str) -> list[str]:
    pure = PurePosixPath(path)
    found = []
    if pure.parts[0] not in TOP:
        found.append("nobody has said that this belongs into a handout")
    never = NEVER - {"classroom"} if READS_GIT.fullmatch(path) else NEVER
    found += [f"{part} is not for students" for part in pure.parts if part in never]
    if pure.suffix not in KINDS and pure.name not in TOP:
        found.append(f"a file of the kind {pure.suffix}, which no handout has")
    return found


def _secrets() -> list[bytes]:
    found = [os.environ.get(SECRET_SEED, "")]
    if path := os.environ.get(SECRET_SEED_FILE):
        try:
            found.append(read_text(path, LONGEST_SEED).strip())
        except (OSError, ValueError):
            raise HandoutError(f"{SECRET_SEED_FILE} names {path}, which cannot be read.") from None
    return [secret.encode() for secret in found if secret]


def _places(folder: Path, rooms: list[Path]) -> list[str]:
    """Return the folders of this machine that nothing may name."""
    places = {str(path) for path in (REPOSITORY, folder.resolve(), Path.home(), *rooms)}
    return sorted(place for place in places if len(Path(place).parts) > 2 or place == str(Path.home()) != "/")


class _Bodies:
    """The bodies of all functions of the solutions, as runs of words and in a form that forgets names."""

    def __init__(self, solutions: tuple[str, ...], files: dict[str, bytes]) -> None:
        self.count, self.short, self._runs, self._forms = _solved(solutions)
        # What a stub says itself, in a docstring's example for one, is no secret. A guide could hold a solution.
        stubs = [data.decode() for path, data in files.items() if re.fullmatch(r"exercises/[mx]\w+\.py", path)]
        said = {run for text in stubs if _is_stub(text) for run in _runs(_words(text))}
        self._runs = {run: name for run, name in self._runs.items() if run not in said}

    def look(self, path: str, text: str, result: Scan) -> list[str]:
        """Return what of the solutions a text holds."""
        words = _words(text)
        result.tokens += len(words)
        found = {self._runs[run] for run in _runs(words) if run in self._runs}
        lines = [f"{RUN} words in a row of the solution of {name}" for name in sorted(found)]
        if not path.endswith(".py"):
            return lines
        try:
            tree = ast.parse(text)
        except SyntaxError:
            return [*lines, "it is no Python"]
        for name, node in _functions(tree):
            result.functions += 1
            solved = self._forms.get(_form(node))
            if solved is not None and solved not in found:
                lines.append(f"{name} is the solution of {solved} with other names")
        return lines


@functools.cache
def _solved(solutions: tuple[str, ...]) -> tuple[int, int, dict[tuple[str, ...], str], dict[str, str]]:
    """Return how many bodies there are, how many too short ones, whose each run of words is, and whose each form."""
    count = short = 0
    runs: dict[tuple[str, ...], str] = {}
    forms: dict[str, str] = {}
    for text in solutions:
        lines = text.splitlines()
        for name, node in _functions(ast.parse(text)):
            body = _body(node)
            words = _words("\n".join(lines[body[0].lineno - 1 : body[-1].end_lineno])) if body else []
            if len(words) < SHORTEST:
                short += 1
                continue
            count += 1
            forms.setdefault(_form(node), name)
            for run in _runs(words):
                runs.setdefault(run, name)
    return count, short, runs, forms


def _is_stub(text: str) -> bool:
    try:
        return untouched(ast.parse(text))
    except SyntaxError:
        return False


def _functions(tree: ast.Module) -> list[tuple[str, ast.FunctionDef]]:
    return [(node.name, node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _body(node: ast.FunctionDef) -> list[ast.stmt]:
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return node.body[1:] if is_text else node.body


def _words(text: str) -> list[str]:
    """Return the tokens of a text, comments and strings' quotes aside: the same for code in a file and on a page."""
    try:
        kinds = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        lines = io.StringIO(textwrap.dedent(text)).readline
        tokens = [token.string for token in tokenize.generate_tokens(lines) if token.type not in kinds]
        text = " ".join(tokens)
    except (tokenize.TokenError, SyntaxError):
        pass  # no Python: every word and sign as it stands
    return WORD.findall(text)


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    if len(words) < RUN:
        return [tuple(words)] if len(words) >= SHORTEST else []
    return [tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)]


def _form(node: ast.FunctionDef) -> str:
    """Return the body as a tree in which each name of its own is a number: what renaming and comments do not change."""
    own: dict[str, str] = {}
    parts = []
    for statement in _body(node):
        for part in ast.walk(statement):
            kind = type(part).__name__
            if isinstance(part, ast.Name):
                kind += own.setdefault(part.id, str(len(own)))
            elif isinstance(part, ast.arg):
                kind += own.setdefault(part.arg, str(len(own)))
            elif isinstance(part, ast.Attribute):
                kind += part.attr
            elif isinstance(part, ast.Constant):
                kind += repr(part.value)
            parts.append(kind)
        parts.append(";")
    return " ".join(parts)
