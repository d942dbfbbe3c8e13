"""Leaving out the checks of some tasks, and of the suites' other code what only these needed."""

from __future__ import annotations

import ast

from grader.syllabus import Syllabus, SyllabusError

from .pieces import EVERYTHING, Source, reached

ALWAYS = ("grader.suites", "grader.suites.conftest", "grader.judge.probes", "grader.judge.probes.checkpoint")


def tasks_named(names: list[str], chosen: Syllabus) -> list[str]:
    """Return the ids of the tasks that `m04` (all of it) or `m05.2` name. Raises SyllabusError."""
    found: list[str] = []
    for name in names:
        if not name.strip():
            raise SyllabusError("--withhold wants names of milestones and tasks, like m04,m05.2.")
        if "." in name:
            found.append(chosen.task(name)[1].id)
        else:
            found += [task.id for task in chosen.milestone(name).tasks]
    return list(dict.fromkeys(found))


def suites(sources: dict[str, Source], chosen: Syllabus, withheld: set[str]) -> dict[str, str]:
    """Return the text of each module of the suites and probes that the chosen, not withheld, checks need.

    What no check at all reaches stays where it is; what only checks that are left out reached goes with them.
    """
    before = reached(sources, _roots(sources, None, set()))
    kept = reached(sources, _roots(sources, chosen, withheld))
    texts = {}
    for name, source in sources.items():
        everything = set(range(len(source.pieces)))
        mine = {index for module, index in kept if module == name}
        gone = {index for module, index in before if module == name} - mine
        # A docstring or an `if` defines nothing and comes with any other: it says nothing about what is needed.
        needed = {index for index in mine if source.pieces[index].defines and not _is_import(source, index)}
        if name not in ALWAYS and not needed:
            continue
        gone -= {index for index in everything if _is_import(source, index)}
        texts[name] = source.without(gone) if gone else source.text
    rooms = {name.rpartition(".")[0] for name in texts}
    return texts | {name: sources[name].text for name in rooms if name in sources}


def _roots(sources: dict[str, Source], chosen: Syllabus | None, withheld: set[str]) -> list[tuple[str, str]]:
    """Return the checks that stay, as module and name; all there are without a syllabus."""
    roots = [(name, EVERYTHING) for name in ALWAYS]
    for name, source in sources.items():
        room, _, module = name.removeprefix("grader.suites.").partition(".")
        if not name.startswith("grader.suites.") or not module.startswith(("test_", "stretch")):
            continue
        if chosen is not None and room not in {m.id for m in chosen.milestones}:
            continue
        if module == "stretch":
            # It compares with the references, so that of a room with something withheld it stays out.
            if not any(task.partition(".")[0] == room.partition("_")[0] for task in withheld):
                roots.append((name, EVERYTHING))
            continue
        for piece in source.pieces:
            if isinstance(piece.node, ast.FunctionDef) and _is_kept(piece.node, source, withheld):
                roots.append((name, piece.node.name))
    return roots


def _is_kept(node: ast.FunctionDef, source: Source, withheld: set[str]) -> bool:
    return node.name.startswith("test_") and task_of(node, source) not in withheld


def task_of(check: ast.FunctionDef, source: Source) -> str:
    """Return the task that a check's marker names. Raises ValueError where it has none, or more than one."""
    found = [
        decorator.args[0].value
        for decorator in check.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) == "pytest.mark.task"
        and decorator.args
        and isinstance(decorator.args[0], ast.Constant)
    ]
    if len(found) != 1:
        raise ValueError(f"{source.name}.{check.name} has {len(found)} markers of a task instead of one")
    return str(found[0])


def _is_import(source: Source, index: int) -> bool:
    return isinstance(source.pieces[index].node, ast.Import | ast.ImportFrom)
