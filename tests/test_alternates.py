"""The suites proven: what is unusual but right earns everything."""

from __future__ import annotations

import pytest
import support

ALTERNATES = [(milestone, path) for milestone in support.MILESTONES for path in support.alternates(milestone)]


@pytest.mark.parametrize(
    ("milestone", "path"), [pytest.param(m, path, id=f"{m}-{path.stem}") for m, path in ALTERNATES]
)
def test_an_alternate_passes(milestone, path):
    """An unusual but right implementation earns all points.

    Here it runs inside the judge, which takes half as long; `nox -s strength` grades it in the sandbox.
    """
    result = support.grade_one(milestone, path.read_text(encoding="utf-8"), level="inline")

    assert support.complaints(result) == []
    assert result.earned == result.possible


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_there_are_enough_alternates(milestone):
    """A milestone has at least three alternates."""
    assert len(support.alternates(milestone)) >= 3
