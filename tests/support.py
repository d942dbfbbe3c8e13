"""Grading from inside a test: real suites, real sandbox, kept warm from one test to the next."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest

from grader import record, syllabus
from grader.judge.grading import grade as grade_run
from grader.judge.oracles import Weights
from grader.judge.planned import Options
from grader.sandbox import levels
from grader.submission import Submission, collect

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "tests"
PROOFS = TESTS / "milestones"
COURSE = syllabus.load()
MILESTONES = [milestone.id for milestone in COURSE.milestones]
ASKED_OF_EACH = re.compile(r'parametrize\(\s*\(?"milestone"')  # how a file begins to ask something of milestones
_workers: dict[tuple[str, str], Any] = {}
left_out: dict[str, set[str]] = {}  # what the tests collected here leave out, for the last lines of a run


def leave_out(what: str, name: str) -> None:
    """Note that something is not tried in this run: of each kind the run says at its end how many there are."""
    left_out.setdefault(what, set()).add(name)


def sandbox(level: str = "auto", start: str = "fork") -> Any:
    """Return warm workers at a level; `start="fresh"` for those that are started instead of forked."""
    if level == "auto":
        level = next(name for name in levels.LEVELS[:3] if levels.unavailable(name) is None)
    if (level, start) not in _workers:
        if start == "fresh":
            from grader.sandbox.starting import FreshWorkers

            _workers[level, start] = FreshWorkers(level, "cpu")
        else:
            _workers[level, start] = levels.workers(level, "cpu", capture_inline=True)
    return _workers[level, start]


class Borrowed:
    """A warm sandbox, lent to one command: it stays open when the command closes it."""

    def __init__(self, workers: Any) -> None:
        self._workers = workers

    def __getattr__(self, name: str) -> Any:
        """Everything else is the sandbox's own."""
        return getattr(self._workers, name)

    def close(self) -> None:
        """Stay open for the next command."""


def lend_sandbox(monkeypatch: pytest.MonkeyPatch) -> Borrowed:
    """Have whatever a command line would boot be the warm sandbox."""
    lent = Borrowed(sandbox())
    monkeypatch.setattr(levels, "choose", lambda _wanted, _device, _note: lent)
    return lent


def lend_where_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a command line choose its level itself, and find the warm sandbox where it would boot this one's level."""
    own, warm = levels.workers, sandbox()

    def workers(level: str, device: str, capture_inline: bool = False) -> Any:
        lent = (level, device) == (warm.level, "cpu")
        return Borrowed(warm) if lent else own(level, device, capture_inline)

    monkeypatch.setattr(levels, "workers", workers)


@functools.cache
def noxfile() -> types.ModuleType:
    """Return the file of the sessions, read once: nox wants each to be registered only once."""
    spec = importlib.util.spec_from_file_location("noxfile_under_test", REPOSITORY / "noxfile.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def close_all() -> None:
    """End every sandbox."""
    for workers in _workers.values():
        workers.close()
    _workers.clear()


def forget_sandboxes() -> None:
    """Forget the sandboxes of the process that this one was forked from, and leave them to it."""
    _workers.clear()


@functools.cache
def weights() -> Weights:
    """Return the default checkpoint, read once."""
    return Weights("gpt2-nano")


def source(folder: str, milestone: str) -> str:
    """Return a stub's or a solution's source."""
    return (REPOSITORY / folder / f"{milestone}.py").read_text(encoding="utf-8")


def grade(
    sources: dict[str, str | bytes],
    *,
    only: set[str] | None = None,
    level: str = "auto",
    start: str = "fork",
    seed: str = "0",
    milestones: list[str] | None = None,
    listener: Any = None,
) -> record.Record:
    """Grade modules given as text: milestone id → source. Only their milestones are graded unless others are named."""
    encoded = {name: text.encode() if isinstance(text, str) else text for name, text in sources.items()}
    submission = Submission("submission", encoded)
    return grade_submission(submission, milestones or list(sources), only, level, start, seed, listener)


def with_needs(milestone: str, source_text: str, folder: str = "solutions") -> dict[str, str]:
    """Return a module together with the modules of `folder` that it is made of."""
    names = COURSE.with_needs(COURSE.milestone(milestone))
    return {name: source_text if name == milestone else source(folder, name) for name in names}


def grade_one(milestone: str, source_text: str, *, folder: str = "solutions", **options: Any) -> record.Record:
    """Grade one milestone given as text, on top of the modules of `folder` that it is made of."""
    return grade(with_needs(milestone, source_text, folder), milestones=[milestone], **options)


def grade_folder(folder: Path, *, level: str = "auto", milestones: list[str] | None = None) -> record.Record:
    """Grade a folder as the command line would."""
    return grade_submission(collect(folder, COURSE), milestones or MILESTONES, None, level, "fork", "0")


def grade_submission(
    submission: Submission, milestones: list[str], only: set[str] | None, level: str, start: str, seed: str,
    listener: Any = None,
) -> record.Record:  # fmt: skip
    """Grade a submission in a warm sandbox."""
    options = Options(milestones, only, seed=seed, rewarding=True)
    return grade_run(options, COURSE, submission, sandbox(level, start), weights(), listener)


def outcomes(result: record.Record) -> dict[str, str]:
    """Return every check's outcome by its name."""
    return {check.id: check.outcome for m in result.milestones for task in m.tasks for check in task.checks}


def checks(result: record.Record) -> list[record.Check]:
    """Return all checks of a record."""
    return [check for m in result.milestones for task in m.tasks for check in task.checks]


def complaints(result: record.Record) -> list[str]:
    """Return a line for each check of a record that did not pass."""
    return complaints_of(checks(result))


def complaints_of(ended: list[record.Check]) -> list[str]:
    """Return a line for each check that did not pass."""
    bad = [check for check in ended if check.outcome != record.PASSED]
    return [f"{check.id}: {check.outcome}: {check.message} {check.mistake or ''}" for check in bad]


class FirstFailure:
    """Ends a run at the first check that did not pass."""

    def __init__(self) -> None:
        self.check: record.Check | None = None

    def start(self, total_checks: int) -> None:
        """Nothing to prepare."""

    def check_started(self, milestone: str, task: str, title: str) -> None:
        """Nothing to note."""

    def check_ended(self, check: record.Check) -> None:
        """Leave pytest, as if all checks had been run."""
        if check.outcome != record.PASSED and self.check is None:
            self.check = check
            pytest.exit("rejected", returncode=pytest.ExitCode.TESTS_FAILED)

    def ended_beside(self, ended: int, passed: int) -> None:
        """Nothing to note."""


def rejected_by(milestone: str, source: str, only: set[str] | None = None, seed: int = 0) -> record.Check | None:
    """Return the first check, in the suite's order, that a module does not pass with a seed, or None."""
    sources = {name: text.encode() for name, text in with_needs(milestone, source).items()}
    listener = FirstFailure()
    options = Options([milestone], only, seed=str(seed))
    grade_run(options, COURSE, Submission("submission", sources), sandbox(), weights(), listener)
    return listener.check


def task_of(node: ast.AST) -> str | None:
    """Return the task that a check's marker names, None for anything else."""
    for mark in getattr(node, "decorator_list", ()):
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.task":
            return str(ast.literal_eval(mark.args[0]))
    return None


def checks_by_task(milestone: str) -> dict[str, set[str]]:
    """Return the names of a suite's checks by the task that each is marked with, as the suite's file has them."""
    found: dict[str, set[str]] = {}
    for function in suite(milestone):
        if task := task_of(function):
            found.setdefault(task, set()).add(function.name)
    return dict(sorted(found.items()))


def suite(milestone: str) -> list[ast.FunctionDef]:
    """Return the checks of a milestone's suite, file by file."""
    room = COURSE.milestone(milestone).room
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(room.glob("test_*.py"))]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [node for node in functions if node.name.startswith("test_")]


def alternates(milestone: str) -> list[Path]:
    """Return a milestone's alternates."""
    return sorted((PROOFS / milestone / "alternates").glob("*.py"))


def mutants() -> list[tuple[str, dict[str, Any]]]:
    """Return every mutant with its milestone."""
    found = []
    for milestone in MILESTONES:
        path = PROOFS / milestone / "mutants.toml"
        for mutant in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
            found.append((milestone, mutant))
    return found


def right_name(mutant: dict[str, Any], mistake: str | None) -> bool:
    """Whether what a student is told is what the mutant says: `told`, or one of them where several are right."""
    told = mutant.get("told", [])
    return any(words in (mistake or "") for words in ([told] if isinstance(told, str) else told))


def fits(milestone: str, mutant: dict[str, Any]) -> bool:
    """Whether the text that a mutant replaces stands in the solution, and once."""
    return source("solutions", milestone).count(mutant["find"]) == 1


def mutate(milestone: str, mutant: dict[str, Any]) -> str:
    """Return the solution with the mutant's mistake in it."""
    solution = source("solutions", milestone)
    count = solution.count(mutant["find"])
    assert count == 1, f"{mutant['name']}: its text stands {count} times in the solution, not once"
    return solution.replace(mutant["find"], mutant["replace"])


def belongs(item: pytest.Item, rooms: list[str]) -> bool:
    """Whether a test lies in a milestone's room, or is asked of it among others, as its parameter `milestone`."""
    asked = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return item.path.parent.name in rooms or asked.get("milestone") in rooms


def may_belong(path: Path, rooms: list[str]) -> bool:
    """Whether a file can hold such a test, by its place and text alone: importing all of them takes long."""
    return path.parent.name in rooms or ASKED_OF_EACH.search(path.read_text(encoding="utf-8")) is not None


def slug(text: str) -> str:
    """Return a text as a test id."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def on_linux() -> bool:
    """Whether the levels with namespaces can exist here."""
    return sys.platform.startswith("linux")
