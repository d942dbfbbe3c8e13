"""The end of the report: the score, and the one thing to do next."""

from __future__ import annotations

from rich.text import Text

from grader.counting import counted, form
from grader.record import BLOCKED, NOT_STARTED, Milestone, Record, Task
from grader.reports import words
from grader.reports.findings import blocker, next_step, nothing_started, passed_checks, telling_check
from grader.reports.onward import Onward, achievements
from grader.resting import BROKEN, resting
from grader.safe_text import one_line

from .failure import Place
from .paper import LABEL, Paper


def print_ending(paper: Paper, record: Record, place: Place) -> None:
    """Print the score and what to do next."""
    _print_score(paper, record)
    if nothing_started(record):
        welcome = "Nothing is started yet. This is where everyone begins: one small function at a time."
        paper.row("", paper.ours(welcome))
    if record.passed:
        where = "that is checked here" if record.withheld else "that was graded"
        paper.row("", paper.ours(f"Everything {where} passes. Well done.", "green"))
    if record.withheld:
        paper.row("To come", paper.ours(words.to_come(record)))
    _print_achievements(paper, record)
    paper.line()
    step = next_step(record)
    if step is None:
        _print_done(paper, record, place.onward)
        return
    milestone, task = step.milestone, step.task
    first = blocker(task) if task is not None and task.outcome == BLOCKED else None
    again = place.command(milestone) if first is None else place.rerun(first.split(".")[0])
    if task is None:
        paper.row("Next", paper.ours(f"Open {place.module(milestone)} and mend what is said above."), style="bold")
    else:
        paper.row("Next", paper.ours(_instruction(record, milestone, task, first, place)), style="bold")
        if task.outcome in BROKEN and (said := _headline(record, task)):
            paper.row("", paper.theirs(said))
        if task.outcome == NOT_STARTED:
            paper.row("", paper.ours(f"Read {place.guide(milestone)}, section {task.id}."))
    paper.row("", Text.assemble("Then run ", paper.ours(again, "cyan")))
    if task is not None:
        paper.row("", Text.assemble("Stuck? ", paper.ours(f"python -m grader hint {first or task.id}", "cyan")))


def _print_score(paper: Paper, record: Record) -> None:
    checks = sum(len(task.checks) for milestone in record.milestones for task in milestone.tasks)
    text = paper.ours(f"{words.number(record.earned)} of {words.in_points(record.possible)}", "bold")
    bar = Text("  ") + paper.bar(record.earned / record.possible if record.possible else 0.0)
    took = f" in {record.seconds:.1f} s" if record.seconds else ""
    for more in (bar, paper.ours(f"  {counted(checks, 'check')}{took}", "dim")):
        if 2 + LABEL + text.cell_len + more.cell_len <= paper.width:
            text += more
    paper.row("Score", text, style="bold")


def _instruction(record: Record, milestone: Milestone, task: Task, first: str | None, place: Place) -> str:
    name = f"{task.id} ({task.title})"
    if task.outcome == NOT_STARTED and not passed_checks(task):
        return f"Open {place.module(milestone)} and implement {name}."
    if task.outcome == NOT_STARTED:
        return f"Open {place.module(milestone)} and finish {name}."
    if task.outcome == BLOCKED:
        return f"Finish {first or 'what it builds on'} first: {name} needs it."
    check = telling_check(task)
    others = [other.id for other in resting(record.milestones, task)]
    more = f": {', '.join(others[:4])}{' …' if len(others) > 4 else ''} {form(len(others), 'rests', 'rest')} on it"
    frames = [frame for frame in check.traceback if frame.file == f"{milestone.id}.py"] if check else []
    line = f", line {frames[-1].line}" if frames else ""
    first_of_all = " first," if others else ""
    return f"Mend {name}{first_of_all} in {place.module(milestone)}{line}{more if others else ''}."


def _headline(record: Record, task: Task) -> str:
    """Return the mistake or the result of the task to mend, where other failures stand between it and this line."""
    if sum(other.outcome in BROKEN for milestone in record.milestones for other in milestone.tasks) < 2:
        return ""
    check = telling_check(task)
    if check is None:
        return ""
    mistake = f"Likely mistake: {check.mistake.rstrip('.')}." if check.mistake else ""
    return mistake or one_line(check.message.partition("\n")[0], 300)


def _print_achievements(paper: Paper, record: Record) -> None:
    label = "Achieved"
    for milestone, sentence in achievements(record):
        name = f"{words.short(milestone.id)}  " if len(record.milestones) > 1 else ""
        paper.row(label, paper.ours(name) + paper.theirs(sentence), style="green")
        label = ""


def _print_onward(paper: Paper, onward: Onward) -> None:
    """Name the next milestone, the capstone, and what else can be done."""
    label = "Next"
    if onward.capstone:
        what = "Train a GPT out of your own parts, and let it write you a story: "
        paper.row(label, paper.ours(what) + paper.ours(onward.capstone, "cyan"), style="bold")
        label = "Then"
    if onward.name:
        what = f"{onward.name}: read {onward.guide}, open {onward.module}."
        paper.row(label, paper.theirs(what), style="bold")
        paper.row("", Text.assemble("Then run ", paper.ours(onward.command, "cyan")))
    elif not onward.capstone:
        paper.row(label, paper.ours("You have passed every milestone there is here."), style="bold")
    for number, (what, command) in enumerate(onward.more):
        paper.row("" if number else "Also", paper.ours(f"{what}: ") + paper.ours(command, "cyan"))


def _print_done(paper: Paper, record: Record, onward: Onward | None) -> None:
    if onward is not None:
        _print_onward(paper, onward)
        return
    after = Text()
    if record.passed:
        what, after = "See what comes after: ", paper.ours("python -m grader list", "cyan")
    elif any(milestone.tasks for milestone in record.milestones):
        what = "Nothing for you to mend: report the grader's mistake, as said above."
        if not record.grader_at_fault:
            what = "Hand in: all of this is checked on the course's own server."
    else:
        what = "Nothing was graded: name a milestone, such as m04."
    paper.row("Next", Text.assemble(paper.ours(what), after), style="bold")
