"""The record as GitHub workflow commands, which appear as annotations at the student's lines.

GitHub keeps ten annotations of a kind (error, warning, notice) for a step and fifty for a job, and drops the rest
without a word. So each milestone gets one, for the first task in it that shows a failure, and they are spread over the
kinds; the whole story is in the step summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grader.record import BLOCKED, GRADER_ERROR, NOT_STARTED, PASSED, WITHHELD, Check, Milestone, Record, Task
from grader.reports import words
from grader.reports.findings import likely, telling_check
from grader.reports.student_view import student_view
from grader.safe_text import one_line

KINDS = ("error", "warning", "notice")
EACH = 10  # of one kind in one step
_MESSAGE = 600

Places = Mapping[str, tuple[str, int]]


@dataclass(frozen=True)
class Annotation:
    """One remark at a line of the student's."""

    kind: str
    file: str
    line: int | None
    title: str
    message: str

    def command(self) -> str:
        """Return the workflow command, one line whatever the parts hold."""
        line = "" if self.line is None else f",line={self.line}"
        place = f"file={_property(self.file)}{line},title={_property(self.title)}"
        return f"::{self.kind} {place}::{_data(self.message)}"


def render(record: Record, *, prefix: str = "exercises/", places: Places | None = None, each: int = EACH) -> str:
    """Return the workflow commands, one a line; the empty text when there is nothing to remark.

    `prefix` is put before the module's name. `places` says for a task in which module and line its definition begins;
    it is used where no line of a traceback is known, as in the student's view of an official run.
    Source: docs.github.com, "Workflow commands for GitHub Actions"; escapeData and escapeProperty of actions/toolkit.
    """
    record = student_view(record)
    found = [_annotation(record, milestone, prefix, places or {}) for milestone in record.milestones]
    remarks = [remark for remark in found if remark is not None]
    commands = [remark.command() for remark in _spread(remarks, each)]
    return "".join(f"{command}\n" for command in commands)


def _spread(remarks: list[Annotation], each: int) -> Iterator[Annotation]:
    """Give the first ten their own kind, the next ten the next kind, and let the last one count what is left out."""
    room = each * len(KINDS)
    for position, remark in enumerate(remarks[:room]):
        kind = KINDS[max(KINDS.index(remark.kind), position // each)] if each else remark.kind
        if position == room - 1 and len(remarks) > room:
            more = len(remarks) - room + 1
            yield Annotation(kind, remark.file, None, "More", f"{more} more milestones are in the summary.")
            return
        yield Annotation(kind, remark.file, remark.line, remark.title, remark.message)


def _annotation(record: Record, milestone: Milestone, prefix: str, places: Places) -> Annotation | None:
    module = f"{milestone.id}.py"
    if milestone.problem is not None:
        check = next((check for task in milestone.tasks for check in task.checks if check.traceback), None)
        place = _place(check, None, module, places)
        return Annotation(
            "error", prefix + place[0], place[1], f"{module} could not be graded", one_line(milestone.problem, _MESSAGE)
        )
    task = _first_failure(milestone)
    check = telling_check(task) if task is not None else None
    if task is None or check is None:
        return None
    file, line = _place(check, task, module, places)
    kind = "warning" if check.outcome == GRADER_ERROR else "error"
    title = one_line(f"{task.id} {task.title}: {words.OUTCOME[check.outcome]}", 120)
    return Annotation(kind, prefix + file, line, title, _message(check, likely(record.milestones, task)))


def _first_failure(milestone: Milestone) -> Task | None:
    """Return the first task that shows a failure; one that is untouched, or waits for another, is none."""
    quiet = (PASSED, NOT_STARTED, BLOCKED, WITHHELD)
    return next((task for task in milestone.tasks if task.outcome not in quiet), None)


def _place(check: Check | None, task: Task | None, module: str, places: Places) -> tuple[str, int | None]:
    for frame in reversed(check.traceback if check is not None else []):
        if frame.file.endswith(".py") and "/" not in frame.file and "\\" not in frame.file and frame.line > 0:
            return frame.file, frame.line
    if task is not None and task.id in places:
        return places[task.id]
    return module, None


def _message(check: Check, name: str) -> str:
    """Return what was checked, what came of it and the likely mistake; each on a line of its own."""
    result = (check.message.strip() or words.SENTENCE[check.outcome]).splitlines()[0]
    parts = [f"Checked: {one_line(check.title, _MESSAGE)}", one_line(result, _MESSAGE)]
    if check.outcome == GRADER_ERROR:
        parts.append("The grader made a mistake here, not the student.")
    if check.mistake:
        parts.append(f"{name}: {one_line(check.mistake, _MESSAGE).rstrip('.')}.")
    return "\n".join(parts)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")
