"""The stubs as they were handed out, and one task of them put back into a student's file."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator

from grader.sandbox.inside.facts import untouched
from grader.syllabus import REPOSITORY, Milestone

KEPT = REPOSITORY / "grader" / "handed_out"  # of a student's copy; a clone has them in its history
GIT_SECONDS = 30
MOST_COMMITS = 300

Function = ast.FunctionDef | ast.AsyncFunctionDef


class NoStub(Exception):
    """The stub is nowhere to be found, or has nothing of the kind; the text is one sentence."""


def stub(milestone: Milestone) -> str:
    """Return a milestone's stub as it was handed out. Raises NoStub."""
    kept = KEPT / f"{milestone.id}.py"
    for path in (kept, milestone.stub):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            if path == kept or milestone.own or _is_stub(text):
                return text
    return next(_history(f"exercises/{milestone.id}.py"), "") or _nowhere(milestone)


def _nowhere(milestone: Milestone) -> str:
    raise NoStub(
        f"The stub of {milestone.id} is not in this copy of the course, nor in its git history; "
        "take it from where you got the course."
    )


def _history(path: str) -> Iterator[str]:
    """Give the versions of a file in git's history that are stubs, the newest first."""
    listed = _git("log", "--full-history", f"--max-count={MOST_COMMITS}", "--format=%H", "--", path)
    for commit in listed.split():
        text = _git("show", f"{commit}:{path}")
        if _is_stub(text):
            yield text


def _git(*arguments: str) -> str:
    """Return what git says about this repository; nothing where there is no git, or none that answers."""
    command = ["git", "-C", str(REPOSITORY), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _is_stub(text: str) -> bool:
    try:
        return untouched(ast.parse(text))
    except (SyntaxError, ValueError):
        return False


def put_back(source: str, stub: str, task: str) -> str:
    """Return a student's source with the functions of one task as the stub has them; all else stays as it is.

    Raises NoStub where no function of the stub is this task's, and SyntaxError for a source that cannot be read.
    """
    wanted = [(place, node) for place, node in functions(ast.parse(stub)) if _task_of(node) == task]
    if not wanted:
        raise NoStub(f"{task} has no function of its own in the stub; it goes on with one of an earlier task.")
    lines = stub.splitlines()
    for place, node in wanted:
        text = lines[_first_line(node) - 1 : node.end_lineno]
        source = _replaced(source, place, text, stub)
    return source


def _replaced(source: str, place: tuple[str, ...], text: list[str], stub: str) -> str:
    """Put a function's lines where one of its name stands, or else at the end of its class or of the file."""
    tree, lines = ast.parse(source), source.splitlines()
    there = dict(functions(tree)).get(place)
    if there is not None:
        lines[_first_line(there) - 1 : there.end_lineno] = text
    elif len(place) == 1:
        lines += ["", "", *text]
    elif (around := _classes(tree).get(place[0])) is not None:
        end = around.end_lineno or len(lines)
        lines[end:end] = ["", *text]
    else:
        whole = _classes(ast.parse(stub))[place[0]]
        lines += ["", "", *stub.splitlines()[_first_line(whole) - 1 : whole.end_lineno]]
    return _ended(lines, source)


def _ended(lines: list[str], source: str) -> str:
    end = "\r\n" if "\r\n" in source else "\n"
    return end.join(lines) + end


def functions(tree: ast.Module) -> list[tuple[tuple[str, ...], Function]]:
    """Return the functions of a module and those in its classes, by their names."""
    found: list[tuple[tuple[str, ...], Function]] = []
    for node in tree.body:
        if isinstance(node, Function):
            found.append(((node.name,), node))
        elif isinstance(node, ast.ClassDef):
            found += [((node.name, part.name), part) for part in node.body if isinstance(part, Function)]
    return found


def _classes(tree: ast.Module) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _first_line(node: Function | ast.ClassDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _task_of(node: Function) -> str | None:
    """Return the task that a stub's function says it is."""
    match node.body[-1]:
        case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str(task))])):
            return task
    return None
