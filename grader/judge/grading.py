"""Grading one submission from start to record: pytest runs the suites inside this process, the judge listens."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import record
from grader.own_rooms import packed
from grader.submission import Submission
from grader.syllabus import Milestone, Syllabus

from .errors import GradingError
from .fingerprint import environment, grader_version
from .oracles import Weights
from .planned import Options, Planned
from .plugin import Judge
from .run import Listener, Run

SUITES = Path(__file__).resolve().parents[1] / "suites"
# No conftest.py: ours is for those who start pytest by hand, and one beside a course's own room is not the grader's.
READING = ("-c", str(SUITES / "pytest.ini"), "--rootdir", str(SUITES), "--noconftest")
# The suites need nothing of these, and the fewer plugins, the sooner the first result.
UNUSED = (
    "terminal", "cacheprovider", "faulthandler", "doctest", "unittest", "junitxml", "pastebin", "stepwise", "logging",
    "unraisableexception", "threadexception", "recwarn", "setuponly", "setupplan",
)  # fmt: skip


def grade(
    options: Options,
    syllabus: Syllabus,
    submission: Submission,
    workers: Any,
    weights: Weights,
    listener: Listener | None = None,
    planned: Callable[[list[Planned]], None] | None = None,
) -> record.Record:
    """Run the suites of the selected milestones and return the record. KeyboardInterrupt passes through.

    `planned` is told of the checks before any student code runs.

    With several judges a long run goes on in as many processes. This one is forked then, so it may have no threads of
    its own that do anything.
    """
    start = time.perf_counter()
    run = Run(options, syllabus, submission, workers, weights, listener)
    run.tell = planned
    code = run_suites(run, Judge(run))
    run.supply.close()
    if code == pytest.ExitCode.INTERRUPTED and not run.fault:
        raise KeyboardInterrupt
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise _no_run(run, code, "running the suites")
    return record.Record(
        grader=grader_version(packed(syllabus)),
        environment=environment(),
        submission=submission.folder,
        seed=options.seed,
        secret_seed=options.secret_seed,
        device=options.device,
        isolation=workers.level,
        weights=weights.name,
        weights_llama=weights.llama.name,
        prerequisites=options.prerequisites,
        milestones=run.milestones(),
        seconds=round(time.perf_counter() - start, 3),
    )


def run_suites(run: Run, judge: Judge) -> int:
    """Have pytest collect the selected milestones' checks for a judge, and run them; return its exit code."""
    files = _files(run)
    if not files:  # without any pytest would look for tests where it stands
        return pytest.ExitCode.NO_TESTS_COLLECTED
    _forget_others(run.syllabus.own)
    arguments = [*files, *READING, "--capture=no"]
    for name in UNUSED:
        arguments += ["-p", f"no:{name}"]
    if run.options.debug:
        arguments += ["-p", "no:debugging"]  # pytest's own debugger wants its terminal; Python's does not
    with _only_our_pytest():
        return pytest.main([*arguments, "-p", "pytest_timeout"], plugins=[judge])


def count_checks(syllabus: Syllabus, milestones: list[str]) -> dict[str, int]:
    """Return how many checks each task of some milestones has; nothing runs. Raises GradingError."""
    run = Run(Options(milestones), syllabus, Submission(""), None, Weights("gpt2-nano"))
    return dict(Counter(check.task.id for check in planned_checks(run)))


def planned_checks(run: Run) -> list[Planned]:
    """Return the checks that a run would consist of; nothing runs. Raises GradingError."""
    _forget_others(run.syllabus.own)
    arguments = [*_files(run), *READING, "--collect-only"]
    for name in UNUSED:
        arguments += ["-p", f"no:{name}"]
    with _only_our_pytest():
        code = pytest.main([*arguments, "-p", "pytest_timeout"], plugins=[Judge(run)])
    if code != pytest.ExitCode.OK:
        raise _no_run(run, code, "listing the checks")
    return run.planned


def _no_run(run: Run, code: int, instead_of: str) -> GradingError:
    reason = f" ({run.fault})" if run.fault else ""
    return GradingError(f"pytest ended with {pytest.ExitCode(code).name} instead of {instead_of}{reason}")


def _files(run: Run) -> list[str]:
    """Return the rooms of the selected milestones, but for those that are withheld as a whole."""
    chosen = [run.syllabus.milestone(name) for name in run.options.milestones]
    return [str(milestone.room) for milestone in chosen if not all(task.withheld for task in milestone.tasks)]


def forget_room(milestone: str) -> None:
    """Have the suite of a milestone that a course brings read from its files again."""
    for name in [name for name in sys.modules if name.partition(".")[0] == milestone]:
        del sys.modules[name]


def _forget_others(own: Iterable[Milestone]) -> None:
    """Forget rooms of another course that had the same names."""
    for milestone in own:
        there = sys.modules.get(milestone.id)
        if there is not None and there.__file__ != str(milestone.room / "__init__.py"):
            forget_room(milestone.id)


@contextlib.contextmanager
def _only_our_pytest() -> Iterator[None]:
    """Keep the environment's own pytest options and installed plugins out of the grader's run."""
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    disabled = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        os.environ.update(kept)
        if disabled is None:
            del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        else:
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = disabled
