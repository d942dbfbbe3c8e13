"""What a student reads beside a mark in an LMS: points, what is unfinished, the likely mistake."""

from __future__ import annotations

from grader.classroom.book.standing import Adjustment, Standing
from grader.counting import counted
from grader.record import PASSED
from grader.reports import words
from grader.reports.findings import likely, mend_first, passed_checks, telling_check
from grader.safe_text import one_line


def told(standing: Standing, milestone: str) -> list[str]:
    """Return how a mark came from what was earned: lateness, rounding, and what a person made of it, as sentences."""
    return [*lateness(standing, milestone), *rounded(standing, milestone), *changed(standing, milestone)]


def rounded(standing: Standing, milestone: str) -> list[str]:
    """Return what a mark is rounded to, where that shows."""
    exact = max(0.0, standing.raw(milestone) - standing.penalties.get(milestone, 0.0))
    shown = words.number(standing.rounding(exact))
    return (
        [] if shown == words.number(exact) or milestone not in standing.milestones else [f"Rounded, that is {shown}."]
    )


def lateness(standing: Standing, milestone: str) -> list[str]:
    """Return what was taken off for lateness and what that leaves, as sentences; none where nothing was late."""
    late, penalty = standing.lateness.get(milestone), standing.penalties.get(milestone, 0.0)
    parts = []
    if penalty:
        earned = standing.raw(milestone)
        off = min(penalty, earned)
        parts.append(f"{words.number(off)} taken off for lateness, which leaves {words.number(earned - off)}.")
    if late is not None:
        free = f", {late.free} of them paid for by late days" if late.free else ""
        parts.append(f"It came {counted(late.days, 'day')} late{free}.")
    return parts


def changed(standing: Standing, milestone: str) -> list[str]:
    """Return what a person made of the mark, and why, as sentences."""
    parts = []
    for each in standing.adjustments:
        if each.milestone == milestone:
            value = words.number(float(each.value))
            what = f"set to {value}" if each.sets else f"changed by {'+' if each.value[0] == '+' else ''}{value}"
            parts.append(
                f"{each.task or 'The mark'} was {what}{_scale(standing, each)} by hand. {_why(each.reason)}".strip()
            )
    if milestone in standing.answers:
        parts.append(f"Your request was looked at: {one_line(standing.answers[milestone], 1000).rstrip('.')}.")
    by_mark = any(not each.task for each in standing.adjustments if each.milestone == milestone)
    if by_mark and milestone not in standing.excused:
        parts.append(f"What counts is {words.number(standing.score(milestone))}.")
    return parts


def _scale(standing: Standing, each: Adjustment) -> str:
    """Return what a task's changed points are out of, and what they count where the course gives the task others."""
    if not each.task or not each.out_of:
        return ""
    now = next((task for task in standing.tasks(each.milestone) if task.id == each.task), None)
    counts = ""
    if now is not None and not now.points:
        counts = ", which is excluded and counts nothing,"
    elif now is not None and abs(now.points - each.out_of) > 1e-9:
        counts = f", so that it counts {words.score(now.earned, now.points)},"
    return f"{' of' if each.sets else ', out of'} {words.number(each.out_of)}{counts}"


def excuse(standing: Standing, milestone: str) -> str:
    """Return the sentence for who is excused."""
    return f"You are excused from this. {_why(standing.excused[milestone])}".strip()


def _why(reason: str) -> str:
    reason = one_line(reason, 1000)
    return f"Reason: {reason}{'' if reason[-1] in '.!?' else '.'}" if reason else ""


def feedback(standing: Standing, milestone: str) -> str:
    """Return the feedback for one milestone as sentences on one line, in the suite's own words.

    It is the same for practice and official runs: no message, traceback or output, which could hold an input.
    """
    if milestone in standing.excused:
        return excuse(standing, milestone)
    result = standing.milestones.get(milestone)
    if result is None:
        said = standing.absent.get(milestone) or standing.waiting.get(milestone) or "Nothing was graded."
        return one_line(" ".join([said, *told(standing, milestone)]), 4000)
    parts = [f"{words.number(standing.raw(milestone))} of {words.in_points(result.possible)}."]
    parts += told(standing, milestone)
    if result.problem is not None:
        return " ".join([*parts, "The file could not be graded; run the grader yourself to see why."])
    for task in result.tasks:
        check = telling_check(task)
        if task.outcome == PASSED or check is None:
            continue
        passed = f"{passed_checks(task)} of {len(task.checks)} checks pass"
        parts.append(f"{task.id} {task.title}: {words.finding(task, check)}, {passed}.")
        in_order = sorted(standing.milestones.values(), key=lambda milestone: milestone.id)
        if check.mistake:
            parts.append(f"{likely(in_order, task)}: {one_line(check.mistake).rstrip('.')}.")
        if first := mend_first(in_order, task):
            parts.append(first)
    return one_line(" ".join(parts), 4000)
