"""Shared fixtures of the tests: one warm sandbox per isolation level for the whole session."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

sys.path.insert(0, str(Path(__file__).parent))

import support
import warm

from grader.judge import mistakes
from grader.sandbox import cores, levels

mistakes.strict = True  # a suite that names a mistake made at run time is seen here

# The files that take longest come first, and what can be divided comes last, so that all processes end together.
# One process has these, and precedence: they are held to time limits, or close folders to other users and look through
# other users' eyes, which two processes would do to each other.
URGENT = ("test_attacks", "test_attacks_on_disk", "test_limits", "test_sandbox", "test_levels", "test_planted")
LONGEST = (
    *("test_wall_clock", "test_cluster", "test_graded", "test_watch", "test_crew", "test_no_answers", "test_proof"),
    *("test_own_faults", "test_capstone", "test_capstone_lessons", "test_capstone_smaller", "test_gradescope_zip"),
    *("test_in_a_students_hands", "test_student_records"),
    *("test_bad_input", "test_gradescope_setup", "test_classroom", "test_golden", "test_cli"),
)
DIVISIBLE = ("test_mutants", "test_degenerate", "test_alternates")  # each test grades something of its own
TOGETHER = ("test_mutants", "test_degenerate")  # but those of one milestone are graded in one session of the judge
LEFT_OUT = "left out"  # what a process that tests in another's name tells it at its end


class ByFile(LoadScopeScheduling):
    """A file is done by one process, which keeps its sandbox and fixtures warm; a divisible one by whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        name = Path(nodeid.partition("::")[0]).stem
        if name in URGENT:
            return "urgent"
        if name in TOGETHER:
            return nodeid.partition("-")[0]
        return nodeid if name in DIVISIBLE else name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Share the tests out by file."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Have two processes more than there are cores, since many tests wait; for a few rooms it would not be worth it."""
    return cores.count() + 2 * (not config.getoption("room"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option behind `nox -s tests -- m04`."""
    parser.addoption("--room", action="append", help="run what belongs to this milestone alone, as in m04_attention")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out, before they are imported, files that have nothing about the rooms asked for."""
    rooms, is_test = config.getoption("room"), collection_path.match("test_*.py")
    return True if rooms and is_test and not support.may_belong(collection_path, rooms) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what belongs to the rooms asked for; where several processes share the tests, begin with what is longest."""
    if rooms := config.getoption("room"):
        kept = [item for item in items if support.belongs(item, rooms)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
    if hasattr(config, "workerinput"):
        order = [*URGENT, *LONGEST, "", *DIVISIBLE]
        items.sort(key=lambda item: order.index(item.path.stem if item.path.stem in order else ""))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints what this one has left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[LEFT_OUT] = {what: sorted(names) for what, names in support.left_out.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what a process has left out."""
    for what, names in getattr(node, "workeroutput", {}).get(LEFT_OUT, {}).items():
        support.left_out.setdefault(what, set()).update(names)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, in a line for each kind."""
    if not terminalreporter.config.getoption("room"):
        for what, names in sorted(support.left_out.items()):
            terminalreporter.write_line(f"Left out: {len(names)} {what}")


@pytest.fixture(scope="module", autouse=True)
def _open_folders(request: pytest.FixtureRequest) -> Iterator[None]:
    """Open again what the user level closes to others: tests run as other users, too."""
    if request.path.stem not in URGENT:
        yield  # what is closed now, another process has closed
        return
    modes = {path: path.stat().st_mode for path in levels.private_folders() if path.is_dir()}
    yield
    for path, mode in modes.items():
        if path.is_dir() and path.stat().st_mode != mode:
            path.chmod(mode & 0o7777)


@pytest.fixture(scope="module", autouse=True)
def _precedence(request: pytest.FixtureRequest) -> None:
    """Where several processes share the tests, let what is held to time limits go first."""
    if hasattr(os, "nice") and hasattr(request.config, "workerinput") and request.path.stem not in URGENT:
        os.nice(19 - os.nice(0))


@pytest.fixture(scope="session", autouse=True)
def _sandboxes() -> Iterator[None]:
    """End what the tests have kept warm: sandboxes, and the Python that becomes command lines."""
    yield
    warm.close()
    support.close_all()
