"""The handouts that several tests look at, built once."""

from __future__ import annotations

import pytest
from handouts import SMALL, built


@pytest.fixture(scope="session")
def whole():
    """The handout of the whole syllabus."""
    return built()


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The handout of two milestones."""
    return built(SMALL, where=tmp_path_factory.mktemp("small"))
