"""Data runs one way: no import runs upwards or in a circle, and each part imports only what it may."""

from __future__ import annotations

import ast

import pytest
import support

REPOSITORY = support.REPOSITORY
FLOORS = (  # from the ground up; what stands in one line is a floor
    (
        "grader.safe_text",
        "grader.clipping",
        "grader.files",
        "grader.schema",
        "grader.exits",
        "grader.counting",
        "grader.tables",
        "grader.pictures",
        "grader.own_browser",
        "grader.notebooks.magics",
        "grader.notebooks.reading",
        "grader.notebooks.choosing",
        "grader.notebooks.splitting",
    ),
    ("grader.streams", "grader.environment", "grader.record", "grader.resting"),
    ("grader.sandbox",),
    ("grader.syllabus",),
    ("grader.warm",),
    ("grader.submission", "grader.own_rooms", "grader.course", "grader.lateness", "grader.rounding", "grader.when"),
    ("grader.judge",),
    ("grader.suites", "grader.progress", "grader.stretches", "grader.watching"),
    ("grader.notebooks", "grader.trying", "grader.failures", "grader.stubs", "grader.debugging"),
    ("grader.practice",),
    ("grader.replaying", "grader.classroom"),
    ("grader.similarity", "grader.pull_request"),
    ("grader.reports",),
    ("grader.capstone", "grader.asking"),
    ("grader.serving",),
    ("grader.gradescope", "grader.handout", "grader.new_room"),
    ("grader.arguments",),
    ("grader.commands", "grader.notebook"),
    ("grader.cli",),
    ("grader.__main__",),
)


def parsed(path):
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules_imported(path, modules=frozenset()):
    """Return the dotted names of all that a file imports, relative ones resolved.

    Of `from package import module` the package counts as well, unless the module is one of `modules`.
    """
    package, found = path.relative_to(REPOSITORY).parent.parts, set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (start, node.module or "") if part)
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= names if names <= modules else {base, *names}
    return found


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("grader/sandbox", ["pytest", "_pytest", "grader.judge", "grader.suites", "grader.reports", "grader.commands"]),
        ("grader/sandbox/inside", ["grader", "psutil", "rich", "transformers", "tiktoken"]),
        ("grader/suites", ["grader.sandbox", "grader.reports", "grader.commands", "subprocess", "multiprocessing"]),
        ("grader/reports", ["grader.judge", "grader.sandbox", "grader.suites", "pytest", "torch"]),
        ("grader/judge", ["grader.reports", "grader.commands", "grader.cli"]),
        ("exercises", ["grader", "solutions", "tests", "fixtures"]),
        ("solutions", ["grader", "exercises", "tests", "fixtures"]),
    ],
)
def test_data_runs_one_way(folder, forbidden):
    """A part of the grader knows nothing of the parts that stand before it in the line."""
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        found = modules_imported(path)
        if folder == "grader/sandbox/inside":  # its own modules are below grader in the tree, and not for it
            found = {name.removeprefix("grader.sandbox.inside.") for name in found} - {"grader.sandbox.inside"}
        wrong = {name for name in found for part in forbidden if name == part or name.startswith(f"{part}.")}
        assert wrong == set(), path


def floor_of(module):
    """Return the floor on which a module of the grader stands, None for the package itself."""
    for height, floor in enumerate(FLOORS):
        if any(module == part or module.startswith(f"{part}.") for part in floor):
            return height
    return None


def own_modules(folder):
    """Return the modules of a folder by their dotted names."""
    found = {}
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path
    return found


def test_every_part_has_its_floor():
    """Each module of the grader stands on a floor, and each floor has a module."""
    modules = own_modules("grader")

    assert [name for name in modules if name != "grader" and floor_of(name) is None] == []
    assert [part for floor in FLOORS for part in floor if part not in modules] == []


def test_no_import_runs_upwards():
    """A module imports from its own floor and from those below, never from one above."""
    modules = own_modules("grader")
    upwards = [
        f"{name} imports {other}"
        for name, path in modules.items()
        for other in modules_imported(path, modules.keys()) & modules.keys() - {"grader"}
        if name != "grader" and floor_of(other) > floor_of(name)
    ]

    assert upwards == []


@pytest.mark.parametrize("folder", ["grader", "benchmarks", "fixtures"])
def test_no_imports_go_round_in_a_circle(folder):
    """Whoever follows the imports of a package never comes back to where they began."""
    modules = own_modules(folder)
    imports = {name: modules_imported(path, modules.keys()) & modules.keys() - {name} for name, path in modules.items()}
    left = dict(imports)
    while free := [name for name, wanted in left.items() if not wanted & left.keys()]:
        for name in free:
            del left[name]

    assert left == {}


def test_a_suite_imports_no_other_milestones_room():
    """What several suites share has a room of its own; none takes it from another milestone's."""
    for milestone in support.COURSE.milestones:
        others = {m.id for m in support.COURSE.milestones} - {milestone.id}
        for path in sorted(milestone.room.glob("*.py")):
            rooms = {name.split(".")[2] for name in modules_imported(path) if name.startswith("grader.suites.")}
            assert rooms & others == set(), path
