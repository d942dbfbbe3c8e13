"""The suites proven: what is unusual but right earns everything."""

from __future__ import annotations

import pytest
import support

ALTERNATES = sorted((support.TESTS / "alternates").glob("m*/*.py"))


@pytest.mark.parametrize("path", ALTERNATES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_alternate_passes(path):
    """An unusual but right implementation earns all points.

    Here it runs inside the judge, which takes half as long; `nox -s strength` grades it in the sandbox.
    """
    result = support.grade_one(path.parent.name, path.read_text(encoding="utf-8"), level="inline")

    assert support.complaints(result) == []
    assert result.earned == result.possible


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_there_are_enough_alternates(milestone):
    """A milestone has at least three alternates."""
    assert sum(path.parent.name == milestone for path in ALTERNATES) >= 3
