"""The page of a run of one's own: the record, pictures of what differs, and the guide and hints behind a fold."""

from __future__ import annotations

import functools
import html
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

from grader.pictures import Picture
from grader.record import PASSED, Record, Task
from grader.reports.findings import telling_check
from grader.syllabus import Syllabus

from . import drawing
from .record import render as render_record


class Beside(NamedTuple):
    """What stands beside a task's failure."""

    picture: Markup
    guide: Markup  # its section; empty where there is none
    hints: tuple[Markup, ...]


def render(
    record: Record,
    course: Syllabus,
    pictures: Mapping[str, tuple[str, Picture]],
    *,
    live: bool = False,
    notebooks: Collection[str] = (),
) -> str:
    """Return the page. `pictures` has for a task the title of a failing check, and what its values look like.

    Of an official run none is shown. `notebooks` are the modules that were taken out of one.
    """
    beside = {}
    pictures = {} if record.official else pictures
    for graded in record.milestones:
        milestone = course.milestone(graded.id)
        hints = {task.id: task.hints for task in milestone.tasks}
        for task in graded.tasks:
            if task.outcome != PASSED:
                rungs = tuple(Markup(_markdown().renderInline(hint)) for hint in hints.get(task.id, ()))
                beside[task.id] = Beside(_picture(task, pictures), section(milestone.guide, task.id), rungs)
    return render_record(record, beside, live=live, notebooks=notebooks)


def _picture(task: Task, pictures: Mapping[str, tuple[str, Picture]]) -> Markup:
    """Return the picture of the failure that the page speaks of; nothing where another one's was kept."""
    title, picture = pictures.get(task.id, ("", None))
    check = telling_check(task)
    return drawing.drawn(picture) if picture and check and check.title == title else Markup("")


def section(guide: Path, task: str) -> Markup:
    """Return a task's section of a guide as HTML, without its heading; nothing where it can't be read."""
    try:
        text = guide.read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return Markup("")
    found = re.search(rf"^## {re.escape(task)} [^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        return Markup("")
    # Folds within this fold would say nothing.
    return Markup(_markdown().render(re.sub(r"</?(?:details|summary)>", "", found.group(1))))


@functools.cache
def _markdown() -> MarkdownIt:
    """Return what makes HTML of Markdown; HTML in it is shown as text, since a guide may be anybody's copy."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("image", _in_words)
    return markdown


def _in_words(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: dict[str, Any]) -> str:
    """Say what a picture shows: the page loads none, whatever lies where a guide says."""
    said = self.renderInlineAsText(tokens[at].children, options, env)
    return f'<span class="quiet">Picture in the guide: {html.escape(said)}</span>'
