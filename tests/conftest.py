"""Shared fixtures of the tests: one warm sandbox per isolation level for the whole session."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support

from grader.sandbox import levels


@pytest.fixture(scope="module", autouse=True)
def _open_folders() -> Iterator[None]:
    """Open again what the user level closes to others: tests run as other users, too."""
    modes = {path: path.stat().st_mode for path in levels.private_folders() if path.is_dir()}
    yield
    for path, mode in modes.items():
        if path.is_dir() and path.stat().st_mode != mode:
            path.chmod(mode & 0o7777)


@pytest.fixture(scope="session", autouse=True)
def _sandboxes() -> Iterator[None]:
    """End the sandboxes that the tests have booted."""
    yield
    support.close_all()
