"""What every check is given, and the options of `pytest grader/suites --submission DIR`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from grader.judge.draw import Draw
from grader.judge.oracles import Data, Weights
from grader.judge.plugin import CHECK, RUN
from grader.judge.standalone import add_options, configure
from grader.judge.student import Student


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options of `python -m grader grade` that make sense here."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set up a run of its own when pytest was started by hand."""
    configure(config)


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Iterator[Student]:
    """The submission's module, in a sandboxed worker of its own."""
    run = request.config.stash[RUN]
    with run.student(request.node.stash[CHECK]) as student:
        yield student


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    """All randomness of a check."""
    check = request.node.stash[CHECK]
    return Draw(request.config.stash[RUN].options.seed, f"{check.milestone.id}::{check.id}")


@pytest.fixture
def weights(request: pytest.FixtureRequest) -> Weights:
    """The GPT-2 checkpoint in use."""
    return request.config.stash[RUN].weights


@pytest.fixture
def data(request: pytest.FixtureRequest) -> Data:
    """What fixtures/ holds."""
    return request.config.stash[RUN].data


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say the score after pytest's own report."""
    milestones = config.stash[RUN].milestones()
    got = sum(milestone.earned for milestone in milestones)
    possible = sum(milestone.possible for milestone in milestones)
    terminalreporter.write_line(f"{got:g} of {possible:g} points")
