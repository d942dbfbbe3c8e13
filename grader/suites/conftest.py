"""The options of `pytest grader/suites --submission DIR`, and its last line."""

from __future__ import annotations

from typing import Any

import pytest

from grader.judge.given import RUN
from grader.judge.standalone import add_options, configure


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options of `python -m grader grade` that make sense here."""
    add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Set up a run of its own when pytest was started by hand."""
    configure(config)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say the score after pytest's own report."""
    milestones = config.stash[RUN].milestones()
    got = sum(milestone.earned for milestone in milestones)
    possible = sum(milestone.possible for milestone in milestones)
    terminalreporter.write_line(f"{got:g} of {possible:g} points")
