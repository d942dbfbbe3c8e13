"""One unfinished task in full: what was checked, what came back, where it went wrong, where to read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from grader.counting import counted
from grader.record import NOT_STARTED, Check, Frame, Milestone, Record, Task
from grader.reports import words
from grader.reports.findings import from_elsewhere, likely, mend_first, passed_checks
from grader.reports.onward import Onward
from grader.safe_text import excerpt, one_line

from .paper import LABEL, STACKED, STYLE, Paper

_MESSAGE = 2_000
_MESSAGE_LINES = 24
_FRAMES = 6


@dataclass(frozen=True)
class Place:
    """Where a student finds things."""

    submission: str
    guide_root: str
    rerun: Callable[[str], str]
    onward: Onward | None = None  # from what has passed
    tries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notebooks: Collection[str] = ()  # modules that are a notebook's cells

    def module(self, milestone: Milestone) -> str:
        """Return the file to edit."""
        return f"{self.submission}/{milestone.id}{'.ipynb' if milestone.id in self.notebooks else '.py'}"

    def guide(self, milestone: Milestone, task: Task | None = None) -> str:
        """Return the guide's file, and the section for a task."""
        page = f"{self.guide_root}/{milestone.id}.md"
        return page if task is None else f"{page}, section {task.id} {task.title}"

    def command(self, milestone: Milestone) -> str:
        """Return the command that grades this milestone again."""
        return self.rerun(words.short(milestone.id))


def print_problem(paper: Paper, milestone: Milestone, place: Place) -> None:
    """Say once why a whole file could not be graded."""
    paper.block(
        paper.theirs(f"{milestone.id}.py could not be graded", "bold"),
        indent=2,
        first=Text.assemble(paper.symbol("failed"), " "),
    )
    paper.row("Because", paper.theirs(excerpt(milestone.problem or "", _MESSAGE, _MESSAGE_LINES)))
    check = next((check for task in milestone.tasks for check in task.checks), None)
    if check is not None and check.traceback:
        paper.row("Your code", _frames(paper, check.traceback, place))
    paper.row("Run again", paper.ours(place.command(milestone), "cyan"))
    paper.line()


def print_failure(paper: Paper, record: Record, milestone: Milestone, task: Task, check: Check, place: Place) -> None:
    """Print what a student needs to mend one task, from the check that tells most."""
    _print_title(paper, task, check)
    if first := mend_first(record.milestones, task):
        paper.row("First", paper.ours(first, "bold"))
    paper.row("Checked", paper.ours(check.title))
    _print_result(paper, check)
    if check.mistake:
        paper.row("", paper.ours(f"{likely(record.milestones, task)}: {check.mistake.rstrip('.')}.", "bold yellow"))
    if check.traceback:
        paper.row("Your code", _frames(paper, check.traceback, place))
    if not first and (module := from_elsewhere(milestone, check)):
        paper.row("", paper.theirs(_look_there(record, module, place)))
    if check.output.strip():
        paper.row("It printed", paper.theirs(excerpt(check.output)), gutter="│ ")
    if task.id in place.tries:
        _print_try(paper, *place.tries[task.id])
    paper.row("Read", paper.ours(place.guide(milestone, task)))
    paper.row("Run again", paper.ours(place.command(milestone), "cyan"))
    paper.line()


def _print_try(paper: Paper, command: str, *lines: str) -> None:
    """Print what opens a prompt, and from the first column on, so that they can be pasted there, the lines to try."""
    whole = all(cell_len(line) <= paper.width or _can_be_wrapped(line, paper.width) for line in lines)
    if not (lines and whole):
        paper.row("Try it", paper.ours(command, "cyan"))
        return
    paper.row("Try it", paper.ours(command, "cyan") + paper.ours(", and there:"))
    for line in lines:
        paper.block(paper.theirs(line))


def _can_be_wrapped(line: str, width: int) -> bool:
    """Whether a line that goes on below is still one statement: it breaks at spaces, and within no text."""
    return not {'"', "'"} & set(line) and max(map(len, line.split())) <= width


def _look_there(record: Record, module: str, place: Place) -> str:
    """Say of an error that came out of an earlier milestone's file how to find out whose fault it is."""
    if any(milestone.id == module and milestone.passed for milestone in record.milestones):
        return f"The error comes out of {module}.py, which passes: look at what {words.short(module)} is given here."
    again = place.rerun(words.short(module))
    return f"The error comes out of {module}.py: if {again} does not pass, mend that first."


def _print_title(paper: Paper, task: Task, check: Check) -> None:
    title = Text.assemble(paper.ours(f"{task.id} {task.title}", "bold"), "  ")
    title += paper.ours(words.finding(task, check), STYLE[check.outcome])
    if len(task.checks) > 1:
        title += paper.ours(f", {passed_checks(task)} of {len(task.checks)} checks pass", "dim")
    paper.block(title, indent=2, first=Text.assemble(paper.symbol(check.outcome), " "))


def _print_result(paper: Paper, check: Check) -> None:
    message = check.message.strip() or words.SENTENCE[check.outcome]
    first, *details = excerpt(message, _MESSAGE, _MESSAGE_LINES).split("\n")
    paper.row("Result", paper.theirs(first, "" if check.outcome == NOT_STARTED else STYLE[check.outcome]))
    text = paper.theirs("\n".join(f"  {line}" for line in details))
    # Details are numbers in columns: where they don't fit beside the label they get the whole width, if that is enough.
    beside = 2 + LABEL if paper.width >= STACKED else 4
    longest = max((cell_len(line) for line in text.plain.split("\n")), default=0)
    if details:
        paper.block(text, indent=2 if beside + longest + 2 > paper.width >= longest + 2 else beside)


def _frames(paper: Paper, frames: list[Frame], place: Place) -> Text:
    """Return the frames, the innermost last; of a long recursion the beginning and the end."""
    text = Text()
    skipped = len(frames) - _FRAMES
    for position, frame in enumerate(frames):
        if skipped > 0 and 2 <= position < 2 + skipped:
            if position == 2:
                text += paper.ours(f"({counted(skipped, 'more call')})\n", "dim")
            continue
        path = frame.file if "/" in frame.file or "\\" in frame.file else f"{place.submission}/{frame.file}"
        text += paper.theirs(f"{one_line(path)}:{frame.line}")
        text += paper.theirs(f", in {one_line(frame.function, 80)}\n", "dim")
        if frame.source.strip():
            text += paper.theirs(f"  {one_line(frame.source.strip(), 200)}\n", "bold")
    text.right_crop(1)
    return text
