"""The record as Markdown, for a step summary or a comment on a pull request.

Text from students stands in fenced blocks, or as prose in which everything is escaped that would be markup, a link or a
mention.
"""

from __future__ import annotations

import re

from grader.record import FAILED, GRADER_ERROR, NOT_STARTED, PASSED, WITHHELD, Check, Milestone, Record, Task
from grader.reports import words
from grader.reports.findings import (
    likely,
    mend_first,
    next_step,
    nothing_started,
    passed_checks,
    telling_check,
    worth_explaining,
)
from grader.safe_text import excerpt, markdown_code, markdown_fence, markdown_html, markdown_prose, one_line

LIMIT = 1_048_576  # bytes; a longer step summary is not shown at all. A comment takes 65,536 characters.

_SYMBOL = {PASSED: "✅", NOT_STARTED: "⬜", "blocked": "⬜", WITHHELD: "⬜", GRADER_ERROR: "⚠️"}


def render(record: Record, *, limit: int = LIMIT, guides: str = "") -> str:
    """Return the record as Markdown of at most `limit` bytes; what doesn't fit is left out, with a notice.

    `guides` is the address below which the guides are read, to be linked; a summary's relative links lead nowhere.
    """
    first, last = [_head(record), _table(record)], _next(record)
    room = limit - 200 - sum(_size(piece) for piece in [*first, last])
    kept: list[str] = []
    pieces = explanations(record, guides)
    for piece in pieces:
        if _size(piece) <= room:
            room -= _size(piece)
            kept.append(piece)
    if len(kept) < len(pieces):
        number = len(pieces) - len(kept)
        kept.append(f"_The report is too long for this page: {number} of its explanations are left out._")
    return "\n\n".join(piece for piece in [*first, *kept, last] if piece) + "\n"


def _size(piece: str) -> int:
    return len(piece.encode("utf-8")) + 2


def _head(record: Record) -> str:
    lines = [f"## Scratchwork: {words.number(record.earned)} of {words.in_points(record.possible)}", ""]
    lines.append(
        f"{words.kind(record).capitalize()} of {markdown_code(record.submission)} · "
        f"isolation {markdown_prose(record.isolation)} · device {markdown_prose(record.device)} · "
        f"seed {markdown_prose(words.seed(record))} · weights {markdown_prose(words.weights(record))}"
    )
    if record.notes:
        lines += ["", *(f"- {markdown_prose(note)}" for note in record.notes[:50])]
    if record.withheld:
        lines += ["", markdown_prose(words.to_come(record))]
    if nothing_started(record):
        lines += ["", "Nothing is started yet. This is where everyone begins: one small function at a time."]
    return "\n".join(lines)


def _table(record: Record) -> str:
    rows = ["| | task | outcome | points |", "|---|---|---|---:|"]
    for milestone in record.milestones:
        folded = "could not be graded" if milestone.problem is not None else ""
        if milestone.reused:
            folded = words.unchanged(milestone)
        name = f"**{markdown_prose(words.short(milestone.id))} {markdown_prose(milestone.title)}**"
        rows.append(f"| | {name} | {folded} | **{words.score(milestone.earned, milestone.possible)}** |")
        for task in [] if folded else milestone.tasks:
            rows.append(
                f"| {_SYMBOL.get(task.outcome, '❌')} | {markdown_prose(task.id)} {markdown_prose(task.title)} "
                f"| {markdown_prose(words.outcome(task))} | {words.score(task.earned, task.points)} |"
            )
    return "\n".join(rows)


def explanations(record: Record, guides: str = "") -> list[str]:
    """Return a piece of Markdown for each note, and for each task that has something to explain."""
    pieces = []
    for milestone in record.milestones:
        pieces += [f"- {markdown_prose(words.short(milestone.id))}: {markdown_prose(n)}" for n in milestone.notes[:20]]
        if milestone.problem is not None:
            title = f"{milestone.id}.py could not be graded"
            pieces.append(_details(title, [markdown_fence(excerpt(milestone.problem, 2000, 24))]))
            continue
        for task in milestone.tasks:
            check = telling_check(task)
            if check is not None and worth_explaining(task):
                pieces.append(_failure(record, milestone, task, check, guides))
    return pieces


def _failure(record: Record, milestone: Milestone, task: Task, check: Check, guides: str) -> str:
    parts = [f"Checked: {markdown_prose(check.title)}"]
    if check.outcome == GRADER_ERROR:
        parts.append("**The grader made a mistake, not the student.** Please report it with the text below.")
    parts.append(markdown_fence(excerpt(check.message.strip() or words.SENTENCE[check.outcome], 2000, 24)))
    if check.mistake:
        parts.append(f"**{likely(record.milestones, task)}:** {markdown_prose(check.mistake)}")
    if first := mend_first(record.milestones, task):
        parts.append(f"**First:** {markdown_prose(first)}")
    if check.traceback and check.outcome != GRADER_ERROR:
        frames = [
            f"{one_line(frame.file)}:{frame.line}, in {one_line(frame.function, 80)}\n    {one_line(frame.source, 200)}"
            for frame in check.traceback[-6:]
        ]
        parts.append(markdown_fence("\n".join(frames)))
    if check.output.strip():
        parts += ["It printed:", markdown_fence(excerpt(check.output))]
    guide = markdown_code(f"{milestone.id}.md")
    if guides and re.fullmatch(r"\w+", milestone.id, re.ASCII):
        guide = f"[{guide}]({guides}{milestone.id}.md)"
    parts.append(f"Read: {guide}, section {markdown_prose(task.id)}.")
    passed = f", {passed_checks(task)} of {len(task.checks)} checks pass" if len(task.checks) > 1 else ""
    return _details(f"{task.id} {task.title}: {words.finding(task, check)}{passed}", parts)


def _details(title: str, parts: list[str]) -> str:
    body = "\n\n".join(parts)
    return f"<details>\n<summary>{markdown_html(title)}</summary>\n\n{body}\n\n</details>"


def _next(record: Record) -> str:
    step = next_step(record)
    if step is None:
        where = "that is checked here" if record.withheld else "that was graded"
        return f"Everything {where} passes." if record.passed else ""
    file = markdown_code(f"{step.milestone.id}.py")
    if step.task is None:
        return f"**Next:** mend {file}, which could not be graded."
    verb = {NOT_STARTED: "implement", FAILED: "mend"}.get(step.task.outcome, "mend")
    return f"**Next:** {verb} {markdown_prose(step.task.id)} ({markdown_prose(step.task.title)}) in {file}."
