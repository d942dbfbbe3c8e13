"""Every form of a report, as text."""

from __future__ import annotations

import base64
import io

from rich.console import Console

from grader.classroom.book.standing import ClassResult, Column, Standing, Student
from grader.record import Record
from grader.reports.machines import annotations, github_classroom, gradescope, json_report, junit, markdown
from grader.reports.marks import tasks_csv
from grader.reports.marks.feedback import feedback
from grader.reports.pages import class_report
from grader.reports.pages import feedback as feedback_page
from grader.reports.pages import record as record_page
from grader.reports.terminal import report as terminal

WIDTHS = (40, 60, 80, 100)


def texts(result: Record) -> dict[str, str]:
    """Return every form of a report."""
    shown = {"json": json_report.render(result), "junit": junit.render(result), "markdown": markdown.render(result)}
    shown |= {"html": record_page.render(result), "annotations": annotations.render(result)}
    shown |= {"gradescope": gradescope.render(result)}
    shown["github classroom"] = base64.b64decode(github_classroom.render(result)).decode("ascii")
    standing = Standing(Student("a1"), {milestone.id: milestone for milestone in result.milestones})
    shown["feedback"] = "\n".join(feedback(standing, milestone.id) for milestone in result.milestones)
    columns = [Column(milestone.id, milestone.title, milestone.possible) for milestone in result.milestones]
    shown["table"] = tasks_csv.render(ClassResult("course", columns, [standing])).text
    result_of_all = ClassResult("course", columns, [standing], official=result.official)
    rows = feedback_page.shown(result_of_all, standing)
    shown["feedback page"] = feedback_page.render(result_of_all, standing, rows)
    shown["feedback markdown"] = feedback_page.render_markdown(result_of_all, standing, rows)
    shown["class"] = class_report.render(ClassResult("course", columns, [standing]))
    for width in WIDTHS:
        paper = io.StringIO()
        terminal.render(result, Console(file=paper, width=width, force_terminal=False, legacy_windows=False))
        shown[f"terminal {width}"] = paper.getvalue()
    return shown
