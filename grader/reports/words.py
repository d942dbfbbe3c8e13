"""What the parts of a record are called in every report."""

from __future__ import annotations

from grader.counting import counted, form
from grader.record import (
    BLOCKED,
    CRASHED,
    FAILED,
    GRADER_ERROR,
    NOT_STARTED,
    OUT_OF_MEMORY,
    PASSED,
    TIMED_OUT,
    USUAL,
    WITHHELD,
    Check,
    Milestone,
    Record,
    Task,
)

OUTCOME = {
    PASSED: "passed",
    FAILED: "failed",
    NOT_STARTED: "not started",
    BLOCKED: "blocked",
    TIMED_OUT: "timed out",
    OUT_OF_MEMORY: "out of memory",
    CRASHED: "crashed",
    GRADER_ERROR: "grader error",
    WITHHELD: "still to come",
}

# One sentence for each outcome: all that the student's view of an official run says, and what a practice report says
# when the record has no message.
SENTENCE = {
    PASSED: "",
    FAILED: "The code ran, but what came back is not what this check asks for.",
    NOT_STARTED: "This is still to be written: the stub raises NotImplementedError.",
    BLOCKED: "This was not tried, because it builds on a task that does not pass yet.",
    TIMED_OUT: "The code took longer than this check allows.",
    OUT_OF_MEMORY: "The code needed more memory than this check allows.",
    CRASHED: "The process that ran the code ended before this check was done.",
    GRADER_ERROR: "The grader could not decide this check. That is the grader's fault.",
}


def short(milestone_id: str) -> str:
    """Return "m04" for "m04_attention"."""
    return milestone_id.split("_", 1)[0]


def number(points: float) -> str:
    """Return points without needless decimals: 4, 2.5, 0.33."""
    return f"{round(points, 2):.12g}"


def in_points(points: float) -> str:
    """Return points with their unit: "4 points", "1 point"."""
    return f"{number(points)} {form(points, 'point')}"


def score(earned: float, possible: float) -> str:
    """Return "3 / 4"."""
    return f"{number(earned)} / {number(possible)}"


def outcome(task: Task) -> str:
    """Return the task's outcome in words, and for a blocked one by what."""
    blockers = [check.blocked_by for check in task.checks if check.blocked_by]
    word = OUTCOME[task.outcome]
    return f"{word} by {blockers[0]}" if task.outcome == BLOCKED and blockers else word


def finding(task: Task, check: Check | None) -> str:
    """Return the outcome of the check that a report goes on to tell of, and the task's where another one decided it."""
    if check is None or check.outcome == task.outcome:
        return outcome(task)
    return f"{OUTCOME[check.outcome]} (another check: {OUTCOME[task.outcome]})"


def unchanged(milestone: Milestone) -> str:
    """Say that a milestone was not graded again."""
    return "unchanged since it passed" + (
        f", {counted(milestone.withheld, 'check')} to come" if milestone.withheld else ""
    )


def to_come(record: Record) -> str:
    """Return the sentence on checks that are not in this copy of the course; nothing where none are."""
    tasks = [task for milestone in record.milestones for task in milestone.tasks if task.outcome == WITHHELD]
    if not tasks:
        return ""
    checks, points = sum(task.withheld for task in tasks), sum(task.points for task in tasks)
    names = [task.id for task in tasks]
    if len(names) > 6:
        names = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return (
        f"{counted(checks, 'check')} for {in_points(points)} {form(checks, 'is', 'are')} still to come "
        f"({', '.join(names)}): they run on the course's own server, once you hand in."
    )


def seed(record: Record) -> str:
    """Return the seed as a report may show it: a secret one never."""
    return "secret" if record.secret_seed else f"{record.seed} (public)"


def weights(record: Record) -> str:
    """Return the checkpoints that a run used: Llama's only where it is not the course's own."""
    llama = record.weights_llama
    return record.weights if llama == USUAL["weights_llama"] else f"{record.weights} and {llama}"


def kind(record: Record) -> str:
    """Return what kind of run this was."""
    return "official run" if record.official else "practice run"
