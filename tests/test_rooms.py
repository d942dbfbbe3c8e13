"""A milestone's files agree with its room, with each other and with the syllabus, and nothing is stray."""

from __future__ import annotations

import ast
import re
import sys
import tomllib

import pytest
import support

REPOSITORY, COURSE, MILESTONES = support.REPOSITORY, support.COURSE, support.MILESTONES
LONGEST_STUB = 275
LINES = {0.5: 120, 0.9: 300, 1.0: 450}  # how long a file may be: the median, nine in ten, the longest
ROOM = r"__init__\.py|milestone\.toml|test_\w+\.py|(oracle|probes)(_\w+)?\.py|steps\.py|stretch\.py"
PROOF = r"__init__\.py|mutants\.toml|equivalent\.toml|gpu\.toml|alternates|test_\w+\.py"


def parsed(path):
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def names_in(folder):
    """Return the names of a folder's entries, what Python and editors leave behind left out."""
    return {path.name for path in folder.iterdir() if path.name != "__pycache__" and not path.name.startswith(".")}


def tasks(milestone):
    """Return the ids of a milestone's tasks, in order."""
    return [task.id for task in COURSE.milestone(milestone).tasks]


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_milestone_has_all_its_files(milestone):
    """A milestone has a stub, a guide, a solution, a suite, mutants and alternates."""
    wanted = [
        f"exercises/{milestone}.py",
        f"exercises/{milestone}.md",
        f"solutions/{milestone}.py",
        f"grader/suites/{milestone}/milestone.toml",
        f"grader/suites/{milestone}/oracle.py",
        f"tests/milestones/{milestone}/mutants.toml",
        f"tests/milestones/{milestone}/test_guide.py",
    ]

    assert [name for name in wanted if not (REPOSITORY / name).exists()] == []
    assert support.alternates(milestone)
    assert support.suite(milestone)


@pytest.mark.parametrize(
    ("folder", "patterns"),
    [
        ("exercises", ["{id}.py", "{id}.md", "README.md", "pictures"]),
        ("solutions", ["{id}.py"]),
        ("grader/suites", ["{id}", "shared", "__init__.py", "conftest.py", "pytest.ini"]),
        ("tests/milestones", ["{id}", "__init__.py"]),
    ],
)
def test_no_file_is_stray(folder, patterns):
    """What stands in these folders belongs to a milestone of the syllabus."""
    known = {pattern.format(id=m.id) for m in COURSE.milestones for pattern in patterns}

    assert names_in(REPOSITORY / folder) - known == set()


def test_a_file_has_one_subject():
    """Half of the Python files are at most 120 lines long, nine in ten at most 300, and none is longer than 450."""
    paths = [path for part in ("grader", "tests", "benchmarks") for path in (REPOSITORY / part).rglob("*.py")]
    lengths = sorted((len(path.read_text(encoding="utf-8").splitlines()), str(path)) for path in paths)

    assert [path for length, path in lengths if length > LINES[1.0]] == []
    for share, bound in LINES.items():
        assert lengths[round(share * (len(lengths) - 1))][0] <= bound, f"cut a file of several subjects ({share:g})"


@pytest.mark.parametrize("milestone", MILESTONES)
def test_no_file_of_a_room_is_stray(milestone):
    """A room holds its entry, its suite, its references and what runs in the worker; a proof what proves it."""
    room = names_in(COURSE.milestone(milestone).room)
    proof = names_in(support.PROOFS / milestone)

    assert {name for name in room if not re.fullmatch(ROOM, name)} == set()
    assert {name for name in proof if not re.fullmatch(PROOF, name)} == set()


# ── stubs and solutions ───────────────────────────────────────────────────────────────────────────────────────────────


def outline(path):
    """Return a module's tree with the bodies of its functions removed and their docstrings kept."""
    tree = parsed(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = node.body[:1] if ast.get_docstring(node) is not None else []
    return tree


def is_private(node):
    """Return whether a part of a solution is its own affair: a helper or a constant with a leading underscore."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name.startswith("_") and not node.name.startswith("__")
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return bool(targets) and all(isinstance(t, ast.Name) and t.id.startswith("_") for t in targets)


def public_parts(body, prefix=""):
    """Return what a module or class shows, in order, each as text; imports and private helpers are left out."""
    parts = []
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom) or is_private(node):
            continue
        if isinstance(node, ast.ClassDef):
            inner, node.body = node.body, []
            parts += [prefix + ast.dump(node), *public_parts(inner, f"{prefix}{node.name}.")]
        else:
            parts.append(prefix + ast.dump(node))
    return parts


def imported(tree):
    """Return every import of a module as text: the names that it binds and where they come from."""
    return {
        ast.dump(alias) + (f"{node.level} {node.module}" if isinstance(node, ast.ImportFrom) else "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_solution_is_its_stub_with_the_bodies_filled_in(milestone):
    """Docstrings, signatures and classes are the same, in the same order; a solution adds imports and helpers alone."""
    stub, solution = (outline(REPOSITORY / folder / f"{milestone}.py") for folder in ("exercises", "solutions"))

    assert imported(stub) - imported(solution) == set()
    assert public_parts(stub.body) == public_parts(solution.body)


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_stub_has_something_to_do_for_every_task(milestone):
    """Each task has a TODO with its id, and no other id stands in a TODO or a NotImplementedError."""
    text = (REPOSITORY / "exercises" / f"{milestone}.py").read_text(encoding="utf-8")
    todos = set(re.findall(r"TODO\((.*?)\)", text))
    raised = {
        ast.literal_eval(node.exc.args[0])
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }

    assert todos == set(tasks(milestone))
    assert raised <= set(tasks(milestone))


@pytest.mark.parametrize("milestone", MILESTONES)
def test_every_body_of_a_stub_is_unwritten(milestone):
    """A function of a stub is a docstring and the NotImplementedError of a task; a constructor may call its base."""
    for node in ast.walk(parsed(REPOSITORY / "exercises" / f"{milestone}.py")):
        if not isinstance(node, ast.FunctionDef):
            continue
        *before, last = node.body
        texts = [
            ast.unparse(part) for part in before if not isinstance(part, ast.Expr) or "super()" in ast.unparse(part)
        ]
        assert isinstance(last, ast.Raise), node.name
        assert re.fullmatch(r"raise NotImplementedError\('m\d\d\.\d+'\)", ast.unparse(last)), node.name
        assert texts in ([], ["super().__init__()"]), node.name


@pytest.mark.parametrize("milestone", MILESTONES)
def test_what_a_task_implements_is_in_the_stub(milestone):
    """The names of `implements` are functions, classes or methods of the stub, and together all that it defines."""
    found = set()
    for node in parsed(REPOSITORY / "exercises" / f"{milestone}.py").body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
    named = {name for task in COURSE.milestone(milestone).tasks for name in task.implements}

    assert named - found == set()
    assert {name.partition(".")[0] for name in found} == {name.partition(".")[0] for name in named}


@pytest.mark.parametrize("folder", ["exercises", "solutions"])
@pytest.mark.parametrize("milestone", MILESTONES)
def test_students_modules_import_what_is_allowed(milestone, folder):
    """Stubs and solutions import the allowed packages, the standard library, and relatively what they need."""
    allowed = {*COURSE.allowed_imports, *COURSE.milestone(milestone).imports, *sys.stdlib_module_names}
    for node in ast.walk(parsed(REPOSITORY / folder / f"{milestone}.py")):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1
            assert node.module in COURSE.milestone(milestone).needs
        elif isinstance(node, ast.ImportFrom):
            assert node.module.partition(".")[0] in allowed


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_stub_is_short(milestone):
    """A stub can be read in one sitting, and its solution fits into what may be handed in."""
    stub = (REPOSITORY / "exercises" / f"{milestone}.py").read_text(encoding="utf-8")

    assert len(stub.splitlines()) <= LONGEST_STUB
    assert (REPOSITORY / "solutions" / f"{milestone}.py").stat().st_size <= COURSE.max_source_bytes


def called(milestone):
    """Return for each task the names in the solution that it defines, and those that their definitions read."""
    tree = parsed(REPOSITORY / "solutions" / f"{milestone}.py")
    definitions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    reads = {node.name: {part.id for part in ast.walk(node) if isinstance(part, ast.Name)} for node in definitions}
    found = {}
    for task in COURSE.milestone(milestone).tasks:
        own, waiting = set(), [name.partition(".")[0] for name in task.implements]
        while waiting:
            name = waiting.pop()
            own.add(name)
            waiting += [other for other in reads.get(name, ()) if other.startswith("_") and other not in own]
        found[task.id] = own, set().union(*(reads.get(name, set()) for name in own))
    return found


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_task_rests_on_what_its_solution_calls(milestone):
    """Whatever of an earlier task a solution calls, its task rests on, or on something that rests on it."""
    entry = COURSE.milestone(milestone)
    by_name = {}
    for other in [COURSE.milestone(name) for name in COURSE.with_needs(entry)]:
        for task in other.tasks:
            for name in task.implements:
                by_name.setdefault(name, task.id)
    known = {task.id: task for task in COURSE.tasks}
    for task, (own, read) in called(milestone).items():
        beneath, waiting = {task}, list(known[task].rests_on)
        while waiting:
            beneath.add(waiting[-1])
            waiting += known[waiting.pop()].rests_on
        wanted = {by_name[name] for name in read - own if name in by_name}
        earlier = {other for other in wanted if list(known).index(other) < list(known).index(task)}

        assert earlier - beneath == set(), task


# ── guides and hints ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_guide_has_a_section_for_every_task(milestone):
    """The guide's headings that begin with a task's id are the tasks of the syllabus, in order, with their titles."""
    guide = (REPOSITORY / "exercises" / f"{milestone}.md").read_text(encoding="utf-8")

    headings = re.findall(r"(?m)^#+ +(m\d\d\.\d.*?)\s*$", guide)

    assert headings == [f"{task.id} {task.title}" for task in COURSE.milestone(milestone).tasks]
    assert len(re.findall(r"(?m)^## m\d\d\.\d+ ", guide)) == len(headings)


def code_lines(path):
    """Return the lines of code inside a module's functions, without comments, docstrings and trivial ones."""
    tree, found = parsed(path), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            for statement in body:
                found |= {line.strip() for line in ast.unparse(statement).splitlines()}
    return {re.sub(r"\s+", "", line) for line in found if len(line) >= 12}


@pytest.mark.parametrize("milestone", MILESTONES)
def test_no_hint_holds_a_line_of_the_solution(milestone):
    """None of the hints has a line of the solution's code in it, whatever its spacing."""
    lines = code_lines(REPOSITORY / "solutions" / f"{milestone}.py")
    assert lines

    told = {
        (task.id, line)
        for task in COURSE.milestone(milestone).tasks
        for hint in task.hints
        for line in lines
        if line in re.sub(r"\s+", "", hint)
    }

    assert told == set()


@pytest.mark.parametrize("milestone", MILESTONES)
def test_no_guide_holds_a_line_of_the_solution(milestone):
    """No line of the solution's code of twenty characters and more stands in the guide, whatever its spacing."""
    lines = code_lines(REPOSITORY / "solutions" / f"{milestone}.py")
    guide = re.sub(r"\s+", "", (REPOSITORY / "exercises" / f"{milestone}.md").read_text(encoding="utf-8"))

    assert [line for line in lines if len(line) >= 20 and line in guide] == []


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_ladder_of_hints_climbs(milestone):
    """The three hints of a task are three different sentences or more, and end like sentences."""
    for task in COURSE.milestone(milestone).tasks:
        assert len({hint.strip() for hint in task.hints}) == 3, task.id
        assert all(hint.rstrip()[-1] in ".?!" and len(hint.split()) >= 8 for hint in task.hints), task.id


# ── suites ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def checks(milestone):
    """Return the checks of a suite: function, its docstring, and the tasks of its markers."""
    found = []
    for node in support.suite(milestone):
        calls = [call for call in node.decorator_list if isinstance(call, ast.Call)]
        marks = [ast.literal_eval(c.args[0]) for c in calls if ast.unparse(c.func) == "pytest.mark.task"]
        found.append((node, ast.get_docstring(node), marks))
    return found


@pytest.mark.parametrize("milestone", MILESTONES)
def test_every_check_belongs_to_one_task(milestone):
    """Every check has exactly one task of its milestone, no task is without checks, and no name stands twice."""
    found = checks(milestone)

    assert [node.name for node, _, marks in found if len(marks) != 1 or marks[0] not in tasks(milestone)] == []
    assert {mark for _, _, marks in found for mark in marks} == set(tasks(milestone))
    assert len({node.name for node, _, _ in found}) == len(found)


@pytest.mark.parametrize("milestone", MILESTONES)
def test_the_checks_of_a_task_stand_together(milestone):
    """Each file of a suite goes through its tasks in the order of the syllabus, and no task stands in two of them."""
    seen = set()
    for path in sorted(COURSE.milestone(milestone).room.glob("test_*.py")):
        marks = [task for task in map(support.task_of, parsed(path).body) if task]

        assert marks == sorted(marks, key=tasks(milestone).index), path
        assert not seen & set(marks), path
        seen |= set(marks)


@pytest.mark.parametrize("milestone", MILESTONES)
def test_every_check_says_in_one_sentence_what_holds(milestone):
    """The docstring, which is the line a student reads, is one line that ends with a period, and unique."""
    docs = [doc for _, doc, _ in checks(milestone)]

    assert [node.name for node, doc, _ in checks(milestone) if not doc or "\n" in doc or not doc.endswith(".")] == []
    assert len(set(docs)) == len(docs)


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_check_asks_for_its_fixtures_by_name(milestone):
    """A check takes `student` first and then nothing but the judge's fixtures and its own parameters."""
    for node, _, _ in checks(milestone):
        names = [argument.arg for argument in node.args.args]
        own = [
            name.strip()
            for call in node.decorator_list
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.parametrize"
            for name in parameter_names(call.args[0])
        ]
        assert names[0] == "student", node.name
        assert set(names) - {"student", "draw", "weights", "llama_weights", "data", *own} == set(), node.name


def parameter_names(node):
    """Return the names that a parametrize marker gives."""
    value = ast.literal_eval(node)
    return value.split(",") if isinstance(value, str) else list(value)


@pytest.mark.parametrize("milestone", MILESTONES)
def test_a_mutant_names_a_check_of_its_suite(milestone):
    """The check that a mutant names is in the suite, and its text stands once in the solution."""
    names = {node.name for node, _, _ in checks(milestone)}
    text = (support.PROOFS / milestone / "mutants.toml").read_text(encoding="utf-8")
    solution = support.source("solutions", milestone)
    mutants = tomllib.loads(text)["mutant"]

    assert [mutant["name"] for mutant in mutants if mutant["check"] not in names] == []
    assert [mutant["name"] for mutant in mutants if solution.count(mutant["find"]) != 1] == []
