"""The record as one HTML page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from grader.record import Record
from grader.reports import words
from grader.reports.findings import next_step
from grader.reports.student_view import student_view

from . import page


def render(
    record: Record, beside: Mapping[str, Any] | None = None, *, live: bool = False, notebooks: Collection[str] = ()
) -> str:
    """Return the page; of an official run it shows the student's view and nothing else.

    `beside` has for a task what else its failure is shown with (own_run.Beside); `notebooks` are the modules that were
    taken out of one.
    """
    record = student_view(record)
    return page.render(
        "record.html",
        record=record,
        kind=words.kind(record).capitalize(),
        seed=words.seed(record),
        step=_step(record, notebooks),
        to_come=words.to_come(record),
        beside=beside or {},
        live=live,
    )


def _step(record: Record, notebooks: Collection[str]) -> str:
    step = next_step(record)
    if step is None:
        return (
            f"everything {'that is checked here' if record.withheld else 'that was graded'} passes."
            if record.passed
            else ""
        )
    file = f"{step.milestone.id}{'.ipynb' if step.milestone.id in notebooks else '.py'}"
    if step.task is None:
        return f"mend {file}, which could not be graded."
    return f"{step.task.id} {step.task.title}, in {file}."
