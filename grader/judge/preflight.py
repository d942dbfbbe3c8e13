"""Before a milestone's checks run: what can be said of its file, and whether it can be imported at all."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from grader import record
from grader.sandbox.errors import StudentError, WorkerLost
from grader.sandbox.inside.reaches import KINDS
from grader.submission import Submission
from grader.syllabus import Milestone, Syllabus, Task

from . import imports
from .outcomes import Verdict, known_exception, lost, verdict, waits_for_somebody

# What parts of torch import when they are first used, for a second and more; each check has a worker of its own, and
# would wait anew. The fork server imports it once instead, for a milestone whose file speaks of such a part.
DYNAMO = ("torch._dynamo",)
COMPILER = (*DYNAMO, "torch._dynamo.backends.debugging", "functorch.compile")
SLOW = {
    "torch.compile": COMPILER,
    "torch.use_deterministic_algorithms": (*DYNAMO, "torch._inductor.config"),
    **dict.fromkeys(("torch.optim", "torch.func", "torch.utils.checkpoint", "torch.compiler"), DYNAMO),
    **dict.fromkeys(("torch.profiler", "torch.testing", "torch.jit.trace", "sympy", *DYNAMO), DYNAMO),
}


@dataclass
class Preflight:
    """What is known of a milestone's file before its first check."""

    problem: Verdict | None = None  # why no check can run
    unserved: bool = False  # because the sandbox itself ended, so that nothing is known of the file
    untouched: bool = False  # no function is written yet, so every check would end as not started
    notes: list[str] = field(default_factory=list)
    shortcuts: dict[str, str] = field(default_factory=dict)  # top-level definition -> "name (line n)"
    compiled: dict[str, bytes] = field(default_factory=dict)  # file -> what its workers import in the place of it
    warm: tuple[str, ...] = ()  # what its workers had better have imported, since importing it takes long
    blocked: tuple[str, ...] = ()  # packages that it can do without, and that no level may offer it

    @property
    def ready(self) -> bool:
        """Whether checks can run."""
        return self.problem is None and not self.untouched

    def shortcut(self, task: Task) -> str | None:
        """Return the library shortcut used inside what a task implements, or None."""
        for name in task.implements:
            if found := self.shortcuts.get(name.partition(".")[0]):
                return found
        return None


def inspect(
    milestone: Milestone,
    syllabus: Syllabus,
    submission: Submission,
    make_worker: Callable[[tuple[str, ...], bool], Any],
    load: dict[str, Any],
) -> Preflight:
    """Read, then import, a milestone's module in a worker, and say in one sentence what is in the way."""
    modules = syllabus.with_needs(milestone)
    for module in modules:
        if module in submission.problems:
            return Preflight(_read(submission.problems[module], module, milestone))
    worker = make_worker((), False)  # to look at a file takes none of a milestone's own packages
    worker.set_deadline(milestone.limits.seconds)
    result = Preflight()
    try:
        # Nothing of the submission has run in this worker yet, so what it says about the sources can be relied on.
        sources = {module: submission.sources[module] for module in modules}
        allowed = {module: _allowed(syllabus.milestone(module), syllabus) for module in modules}
        facts = worker.conversation.request("inspect", sources=sources, allowed=allowed)
        for module in modules:
            result.problem = _facts_problem(facts[module], module, milestone, syllabus)
            if result.problem:
                return result
        if facts[milestone.id]["untouched"] is True:
            result.untouched = True
            return result
        result.compiled = worker.conversation.request("compile", sources=load["sources"])
        _find_shortcuts(facts[milestone.id], milestone, result)
        result.notes += notes_on_reaches(milestone.id, facts[milestone.id]["reaches"])
        result.blocked = tuple(sorted({name for module in modules for name in facts[module]["blocked"]}))
        load = load | {"blocked": [*load["blocked"], *result.blocked]}
        result.warm = slow_to_import(facts.values())
        if set(COMPILER) <= set(result.warm):
            result.notes.append(
                f"{milestone.id}.py uses torch.compile. The sandbox has no C++ compiler, so it works there with "
                'backend="eager" alone, and makes every check take seconds longer.'
            )
        if result.warm or syllabus.own_packages(milestone).names:
            worker = make_worker(result.warm, True)
            worker.set_deadline(milestone.limits.seconds)
        try:
            worker.names = worker.conversation.request("load", **load, compiled=result.compiled)
            worker.loaded = True
        finally:
            _expect_within_limits(worker)
    except StudentError as error:
        result.problem = verdict(error, "", milestone.limits, answered=False)
        result.problem.outcome = record.CRASHED if error.kind == "SystemExit" else record.FAILED
        result.problem.message = f"{milestone.id}.py cannot be imported: {waits_for_somebody(error) or error}"
        result.problem.official = f"{milestone.id}.py cannot be imported: it raises {known_exception(error)}."
        result.problem.frames = error.frames
    except WorkerLost as error:
        result.problem, result.unserved = lost(error, milestone.limits), error.with_its_server
        why = result.problem.message if error.limit else "The process that ran it ended."  # how, is the worker's word
        result.problem.message = f"{milestone.id}.py cannot be imported. {result.problem.message}"
        result.problem.official = f"{milestone.id}.py cannot be imported. {why}"
    return result


def _expect_within_limits(worker: Any) -> None:
    """Raise WorkerLost if importing the module went over a limit, whether or not that was seen at the time."""
    worker.settle()
    if worker.limit_broken:
        raise WorkerLost(limit=worker.limit_broken)


def _allowed(milestone: Milestone, syllabus: Syllabus) -> dict[str, list[str]]:
    """Return what a milestone's module may import: packages, and modules of the submission."""
    return {
        "packages": [*syllabus.allowed_imports, *milestone.imports],
        "modules": list(syllabus.with_uses(milestone)),
    }


def slow_to_import(facts: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Return what some files, by the names that they use, have torch import at some time."""
    names = {name for one in facts for name, _, _ in (*one["imports"], *one["uses"])}
    found: dict[str, None] = {}
    for start, modules in SLOW.items():
        if any(name == start or name.startswith(f"{start}.") for name in names):
            found |= dict.fromkeys(modules)
    return tuple(found)


def _facts_problem(facts: dict[str, Any], module: str, milestone: Milestone, syllabus: Syllabus) -> Verdict | None:
    if facts["error"]:
        line, text = facts["error"]
        problem = _read(f"{module}.py, line {line}: {text}.", module, milestone)
        problem.frames = [(f"{module}.py", line, "<module>")]
        return problem
    wrong = imports.problems(facts["refused"], facts["absent"], syllabus.milestone(module), syllabus)
    if not wrong:
        return None
    line = min(line for _, line in facts["refused"] + facts["absent"])
    problem = _read(" ".join(wrong), module, milestone)
    problem.frames = [(f"{module}.py", line, "<module>")]
    return problem


def _read(message: str, module: str, milestone: Milestone) -> Verdict:
    """Return the problem that reading a file shows: in the milestone's own it fails it, in one it is made of blocks it.

    No code of the submission's has run then, and its text knows of no input: anybody may see all of it.
    """
    if module == milestone.id:
        return Verdict(record.FAILED, message, official=message)
    message = f"It is made of {module}.py, which cannot be used. {message}"
    return Verdict(record.BLOCKED, message, blocked_by=module[:3], official=message)


def _find_shortcuts(facts: dict[str, Any], milestone: Milestone, result: Preflight) -> None:
    for name, line, place in facts["uses"]:
        if any(_is_shortcut(name, pattern) for pattern in milestone.shortcuts):
            where = f"{name} (line {line})"
            result.shortcuts.setdefault(place, where)
            result.notes.append(f"{milestone.id}.py uses {where}, which this milestone is about.")


def notes_on_reaches(module: str, reached: dict[str, list[int]]) -> list[str]:
    """Return a sentence for each kind of reaching around that a source shows: a reason to read it, and no fault."""
    notes = []
    for kind in KINDS:
        if lines := reached.get(kind):
            where = f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
            notes.append(f"{module}.py {KINDS[kind]} ({where}). That is no fault by itself; have a look at it.")
    return notes


def _is_shortcut(name: str, pattern: str) -> bool:
    """Whether a dotted name is a shortcut, something that hangs on one, or torch's own operator of that name."""
    if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}.*"):
        return True
    inside = name.startswith(("torch.ops.", "torch._C.", "torch._VF.", "torch._refs.", "torch._decomp."))
    return inside and pattern.rpartition(".")[2] in [part.lstrip("_") for part in name.split(".")]
