"""Shared fixtures of the tests: one warm sandbox per isolation level for the whole session."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support


@pytest.fixture(scope="session", autouse=True)
def _sandboxes() -> Iterator[None]:
    """End the sandboxes that the tests have booted."""
    yield
    support.close_all()
