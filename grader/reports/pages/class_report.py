"""A class as one HTML page for the instructor."""

from __future__ import annotations

from datetime import datetime

from grader.classroom.book.standing import ClassResult
from grader.reports.marks.counting import counting

from . import page
from .class_figures import RULE, figures


def render(result: ClassResult, now: datetime | None = None) -> str:
    """Return the page; `now` decides which due dates have passed."""
    return page.render(
        "class.html", result=result, figures=figures(result, now), rule=RULE, counting=counting(result),
        graded=any(standing.milestones for standing in result.standings),
    )  # fmt: skip
