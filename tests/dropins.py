"""Whatever is handed out, tried as an answer: copied with all that it needs, and put in the place of a stub's name."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from dataclasses import dataclass

import support

from grader import record
from grader.handout.pieces import Source, reached

FIRST = 2  # checks of a task, with which all that could be an answer is tried: little of it is left for the others
# Runs the copied modules as they were, each importing the others, without the judge's package being there.
COPIER = """
_made = {}


def _copied(sources, wanted, name):
    import builtins
    import types

    made = _made
    real = builtins.__import__

    class Missing:
        def __getattr__(self, name):
            return self

        def __call__(self, *args, **kwargs):
            return self

        def __mro_entries__(self, bases):
            return ()

        def __or__(self, other):
            return self

        __ror__ = __getitem__ = __or__

    def load(module):
        if module not in made:
            made[module] = types.ModuleType(module)
            inside = vars(made[module])
            inside["__builtins__"] = vars(builtins) | {"__import__": imported}
            inside["__package__"] = module.rpartition(".")[0]
            if module in sources:
                exec(compile(sources[module], module, "exec"), inside)
        return made[module]

    def imported(name, scope=None, local=None, fromlist=(), level=0):
        if level:
            above = scope["__package__"].split(".")
            above = above[: len(above) - level + 1]
            name = ".".join([*above, name] if name else above)
        if name.partition(".")[0] not in ("grader", "fixtures"):
            try:
                return real(name, scope, local, fromlist, 0)
            except ImportError:
                return Missing()
        module = load(name)
        for part in fromlist or ():
            if not hasattr(module, part):
                setattr(module, part, load(f"{name}.{part}"))
        return module if fromlist else load(name.partition(".")[0])

    return getattr(load(wanted), name)
"""


@dataclass(frozen=True)
class Candidate:
    """A function, a class or a callable of a module."""

    module: str  # "grader.suites.m04_attention.oracle"
    name: str
    least: int  # arguments by position that it needs
    most: int  # and takes
    is_class: bool

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Place:
    """A public name of a stub that a task implements."""

    milestone: str
    task: str
    name: str
    least: int
    most: int
    is_class: bool


def sources(files: dict[str, bytes]) -> dict[str, Source]:
    """Return all Python modules of a handout's packages, by name."""
    found = {}
    for path, data in files.items():
        if path.startswith(("grader/", "fixtures/")) and path.endswith(".py"):
            name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
            found[name] = Source(name, data.decode(), path.endswith("__init__.py"))
    return found


def candidates(modules: dict[str, Source]) -> list[Candidate]:
    """Return everything in them that can be called."""
    found = []
    for module in modules.values():
        for piece in module.pieces:
            node = piece.node
            if isinstance(node, ast.FunctionDef):
                found.append(Candidate(module.name, node.name, *_arity(node), False))
            elif isinstance(node, ast.ClassDef):
                made = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
                least, most = _arity(made) if made else (1, 100)
                found.append(Candidate(module.name, node.name, max(0, least - 1), most - 1, True))
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call | ast.Lambda):
                found += [Candidate(module.name, name, 0, 100, False) for name in sorted(piece.defines)]
    return found


def places(milestone: str) -> list[Place]:
    """Return the public names of a stub, each once for every task that it belongs to."""
    tree = ast.parse(support.source("exercises", milestone))
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    found = []
    for task in support.COURSE.milestone(milestone).tasks:
        for name in dict.fromkeys(part.partition(".")[0] for part in task.implements):
            node = defined[name]
            if isinstance(node, ast.FunctionDef):
                found.append(Place(milestone, task.id, name, *_arity(node), False))
            else:
                made = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
                least, most = _arity(made) if made else (1, 100)
                found.append(Place(milestone, task.id, name, max(0, least - 1), most - 1, True))
    return found


def fits(candidate: Candidate, place: Place) -> bool:
    """Whether the candidate could be called as the stub says, or bears its name."""
    if candidate.name == place.name:
        return True
    if place.is_class and not candidate.is_class and candidate.most == 100:
        return False
    return candidate.least <= place.most and candidate.most >= place.least


def needed(found: list[Candidate], modules: dict[str, Source]) -> dict[str, str]:
    """Return the modules that candidates are made of, each without what none of them needs."""
    pieces = reached(modules, [(candidate.module, candidate.name) for candidate in found])
    copied = {}
    for name in {module for module, _ in pieces}:
        own = modules[name].pieces
        kept = {index for module, index in pieces if module == name}
        kept |= {i for i, piece in enumerate(own) if isinstance(piece.node, ast.Import | ast.ImportFrom)}
        copied[name] = modules[name].without(set(range(len(own))) - kept)
    return copied


def submission(candidate: Candidate, place: Place, modules: dict[str, Source]) -> str:
    """Return the solution of a milestone with the candidate in the place of one name."""
    copied = needed([candidate], modules)
    solution = support.source("solutions", place.milestone)
    call = f"_copied({copied!r}, {candidate.module!r}, {candidate.name!r})"
    return f"{solution}\n\n{COPIER}\n\n{place.name} = {call}\n"


# Calls the solution, and whatever could take its place with the same arguments; tells who still agrees with it.
WITNESS = """
def _witness(solution, sources, candidates, is_class, public):
    import contextlib
    import copy
    import io
    import signal

    import torch

    alive = {}
    for number, (module, name) in enumerate(candidates):
        try:
            alive[number] = _copied(sources, module, name)
        except Exception:  # a candidate that cannot be had is no answer
            continue
        if type(alive[number]).__name__ == "Missing":
            del alive[number]

    def same(left, right):
        if isinstance(left, torch.Tensor) or isinstance(right, torch.Tensor):
            if type(left) is not type(right) or left.shape != right.shape or left.dtype != right.dtype:
                return False
            return torch.allclose(left.detach().double(), right.detach().double(), rtol=1e-2, atol=1e-3, equal_nan=True)
        if isinstance(left, list | tuple) and isinstance(right, list | tuple):
            return len(left) == len(right) and all(map(same, left, right))
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
        if isinstance(left, list | tuple | dict) or isinstance(right, list | tuple | dict):
            return False
        plain = bool | int | float | str | bytes | set | type(None)
        if isinstance(left, plain) or isinstance(right, plain):
            return left == right or (isinstance(left, float) and isinstance(right, float) and abs(left - right) < 1e-3)
        return True  # things with a life of their own

    def copied(value):
        try:
            return copy.deepcopy(value)
        except Exception:  # some arguments cannot be copied
            return value

    def called(function, args, kwargs):
        try:
            return True, function(*args, **kwargs)
        except Exception as error:
            return False, error

    def late(*_):
        raise TimeoutError

    def tell():
        print("STILL", *alive, flush=True)

    def witness(*args, **kwargs):
        kept = copied((args, kwargs))
        works, expected = called(solution, args, kwargs)
        sure = is_class or not works or same(expected, called(solution, *copied(kept))[1])
        before = len(alive)
        for number, candidate in list(alive.items()):
            try:
                signal.signal(signal.SIGALRM, late)
                signal.setitimer(signal.ITIMER_REAL, 1.0)
                with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    also, got = called(candidate, *copied(kept))
                    agrees = also is works
                    if agrees and works and is_class:
                        agrees = type(got).__name__ != "Missing" and all(hasattr(got, name) for name in public)
                    elif agrees and works and sure:
                        agrees = same(expected, got)
            except BaseException:  # a candidate may raise anything, the alarm included: then it does not agree
                agrees = False
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            if not agrees:
                del alive[number]
        if len(alive) < before or before == 0:
            tell()
        if not works:
            raise expected
        return expected

    print("CALLED", flush=True)
    tell()
    return witness
"""


def agreeing(place: Place, found: list[Candidate], modules: dict[str, Source], checks: list[str]) -> list[Candidate]:
    """Return those of the candidates that answer as the solution does in a task's checks: the others fail one."""
    found, disturbed = _witnessed(place, found, modules, checks[:FIRST])
    if found and checks[FIRST:]:
        found, more = _witnessed(place, found, modules, checks[FIRST:])
        disturbed += more
    if disturbed:  # by the witness itself, perhaps: then grading for real says the rest
        disturbed = [name for name in disturbed if name not in _always_disturbed(place, tuple(disturbed))]
    if not disturbed or len(found) < 2:
        return found
    half = len(found) // 2
    return [
        candidate for part in (found[:half], found[half:]) for candidate in agreeing(place, part, modules, disturbed)
    ]


@functools.cache
def _always_disturbed(place: Place, checks: tuple[str, ...]) -> list[str]:
    """Return the checks that do not pass while somebody listens, whatever is tried."""
    return _witnessed(place, [], {}, list(checks))[1]


def _witnessed(
    place: Place, found: list[Candidate], modules: dict[str, Source], checks: list[str]
) -> tuple[list[Candidate], list[str]]:
    """Return the candidates that agree with the solution, and the checks that did not pass while they were asked."""
    public = [name for name in _methods(place) if not name.startswith("_") or name in ("__call__", "__len__")]
    named = [(candidate.module, candidate.name) for candidate in found]
    call = f"_witness({place.name}, {needed(found, modules)!r}, {named!r}, {place.is_class}, {public!r})"
    solution = support.source("solutions", place.milestone)
    text = f"{solution}\n\n{COPIER}\n\n{WITNESS}\n\n{place.name} = {call}\n"
    result = support.grade_one(place.milestone, text, only=set(checks))
    left, disturbed = set(range(len(found))), set()
    for check in support.checks(result):
        told = [set(map(int, line.split()[1:])) for line in check.output.splitlines() if line.startswith("STILL")]
        if told and check.outcome == record.PASSED:
            left &= set.intersection(*told)
        else:
            disturbed.add(check.id.partition("[")[0])
    return [found[number] for number in sorted(left)], sorted(disturbed)


def checks_by_task(milestone: str) -> dict[str, list[str]]:
    """Return the names of each task's checks, in the order of the suite."""
    result = support.grade_one(milestone, support.source("exercises", milestone), folder="exercises")
    return {
        task.id: list(dict.fromkeys(check.id.partition("[")[0] for check in task.checks))
        for task in result.milestones[0].tasks
    }


def earns(candidate: Candidate, place: Place, modules: dict[str, Source], checks: list[str]) -> bool:
    """Return whether the candidate passes all checks of the task."""
    return support.rejected_by(place.milestone, submission(candidate, place, modules), set(checks)) is None


def answers(milestone: str, modules: dict[str, Source], tried: Callable[[str], bool]) -> list[str]:
    """Return a line for each candidate that earns a task of this milestone in the place of one of its names.

    `tried` says of a module's name whether what it defines is a candidate.
    """
    found = candidates({name: module for name, module in modules.items() if tried(name)})
    checks = checks_by_task(milestone)
    lines = []
    for place in places(milestone):
        fitting = [candidate for candidate in found if fits(candidate, place)]
        for candidate in fitting and agreeing(place, fitting, modules, checks[place.task]):
            if earns(candidate, place, modules, checks[place.task]):
                lines.append(f"{candidate} earns {place.task} as {place.name}")
    return lines


def _methods(place: Place) -> list[str]:
    tree = ast.parse(support.source("exercises", place.milestone))
    node = next(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == place.name)
    return [part.name for part in node.body if isinstance(part, ast.FunctionDef)]


def _arity(node: ast.FunctionDef) -> tuple[int, int]:
    positional = [*node.args.posonlyargs, *node.args.args]
    least = len(positional) - len(node.args.defaults)
    if any(default is None for default in node.args.kw_defaults):
        least = 99  # it wants an argument by name that no stub has
    return least, 100 if node.args.vararg else len(positional)
