"""`python -m grader compare m04`: the student's own code beside the reference solution, once it has passed."""

from __future__ import annotations

import argparse
import ast
import os
from dataclasses import dataclass
from pathlib import Path

from grader.arguments import course, submission, submission_folder, syllabus_of
from grader.exits import PASSED
from grader.judge.errors import UsageProblem
from grader.practice import SECRET_SEED, SECRET_SEED_FILE
from grader.progress import Progress
from grader.submission import collect
from grader.syllabus import Milestone, Syllabus, Task


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("name", metavar="MILESTONE[.TASK]", help="m04, or one task of it: m04.2")
    submission(command)
    course(command)
    command.add_argument(
        "--give-up", action="store_true", help="show it before yours has passed: then nothing is left to find"
    )


def run(options: argparse.Namespace) -> int:
    """Show the two side by side, or say in a sentence why not."""
    from rich.console import Console

    from grader.reports.terminal.beside import render_pairs

    course = syllabus_of(options)
    milestone, tasks = asked_for(course, options.name)
    if reason := reference(milestone):
        raise UsageProblem(reason)
    folder = submission_folder(options)
    mine = collect(folder, course)
    if milestone.id in mine.problems:
        raise UsageProblem(mine.problems[milestone.id])
    if not options.give_up:
        check_passed(milestone, tasks, folder, mine.digest(course.with_uses(milestone)))
    own, ours = mine.sources[milestone.id], milestone.solution.read_bytes()
    path = f"solutions/{milestone.id}.py" if not milestone.own else str(milestone.solution)
    pairs = [
        (f"{task.id} {task.title}", cut_out(own, task, f"{folder}/{milestone.id}.py"), cut_out(ours, task, path))
        for task in tasks
    ]
    render_pairs(pairs, Console())
    return PASSED


def asked_for(course: Syllabus, name: str) -> tuple[Milestone, list[Task]]:
    """Return the milestone that a name means, and its tasks, or the one task that it means. Raises SyllabusError."""
    if "." in name.removesuffix(".py"):
        milestone, task = course.task(name)
        return milestone, [task]
    milestone = course.milestone(name)
    return milestone, list(milestone.tasks)


def reference(milestone: Milestone) -> str | None:
    """Return why the reference solution is not shown here, or None."""
    if os.environ.get(SECRET_SEED) or os.environ.get(SECRET_SEED_FILE):
        return "compare is for practice: where runs count (a secret seed is set), no solution is shown."
    if not milestone.solution.is_file():
        return "compare shows the reference solution, and this copy of the course has no solutions."
    return None


def check_passed(milestone: Milestone, tasks: list[Task], folder: Path, sources: str) -> None:
    """Raise UsageProblem unless these tasks have passed as they are now."""
    last = Progress().last(folder, milestone.id)
    passed = {task.id for task in last.tasks if task.outcome == "passed"} if last and last.sources == sources else set()
    wanted = [task.id for task in tasks if task.id not in passed]
    if not wanted:
        return
    changed = "has changed since it was graded" if last and last.sources != sources else "has not passed yet"
    raise UsageProblem(
        f"{', '.join(wanted)} {changed if len(wanted) == 1 else changed.replace('has', 'have', 1)}: first "
        f"nox -s grade -- {milestone.number}, and python -m grader hint {wanted[0]} helps. To see the solution all the "
        "same, and have nothing left to find: --give-up."
    )


@dataclass(frozen=True)
class Piece:
    """What a task implements, cut out of a module: its code without docstrings, and where it begins."""

    place: str  # "exercises/m04_attention.py:18"
    code: str


def cut_out(source: bytes, task: Task, path: str) -> Piece:
    """Cut what a task implements out of a module, with the private helpers that it calls; docstrings stay out."""
    text = source.decode("utf-8", "replace")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageProblem(f"{path} cannot be read as Python ({error}); nox -s grade says more.") from None
    lines = text.splitlines()
    found = _with_helpers(tree, task)
    place = f"{path}:{_first_line(found[0])}" if found else path
    return Piece(place, "\n\n".join(_code(node, lines) for node in found))


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _with_helpers(tree: ast.Module, task: Task) -> list[Definition]:
    """Return the definitions of a task and those below an underscore that they name, in the module's order."""
    top = {node.name: node for node in tree.body if isinstance(node, Definition)}
    wanted: list[Definition] = []
    for name in task.implements:
        head, _, method = name.partition(".")
        node = top.get(head)
        if method and isinstance(node, ast.ClassDef):
            node = next((part for part in node.body if isinstance(part, Definition) and part.name == method), None)
        if node is not None and node not in wanted:
            wanted.append(node)
    waiting = list(wanted)
    while waiting:
        names = {part.id for part in ast.walk(waiting.pop()) if isinstance(part, ast.Name)}
        for name in names & {name for name in top if name.startswith("_")}:
            if top[name] not in wanted:
                wanted.append(top[name])
                waiting.append(top[name])
    return sorted(wanted, key=_first_line)


def _first_line(node: Definition) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _code(node: Definition, lines: list[str]) -> str:
    """Return the lines of a definition without the docstrings in it."""
    hidden: set[int] = set()
    for part in ast.walk(node):
        if isinstance(part, Definition) and ast.get_docstring(part, clean=False) is not None:
            text = part.body[0]
            if len(part.body) > 1 or isinstance(part, ast.ClassDef):
                hidden |= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    first, last = _first_line(node), node.end_lineno or node.lineno
    kept = [lines[number - 1] for number in range(first, last + 1) if number not in hidden]
    edge = min((len(line) - len(line.lstrip()) for line in kept if line.strip()), default=0)
    return "\n".join(line[edge:].rstrip() for line in kept).strip("\n")
