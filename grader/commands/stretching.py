"""`grade --stretch`: what passed is measured against the student's own best, in practice."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import Any

from grader.commands.onward import whole
from grader.judge.errors import UsageProblem
from grader.practice import Practice
from grader.stretches import Stretches, goal_of
from grader.submission import Submission
from grader.syllabus import Milestone


def check(options: argparse.Namespace) -> None:
    """Raise UsageProblem where a stretch goal cannot be measured."""
    if options.stretch and options.official:
        raise UsageProblem("An official run measures no stretch goals: leave out --stretch.")
    if options.stretch and options.debug:
        raise UsageProblem("Under a debugger no stretch goal can be measured: leave out --debug or --stretch.")


def measure_all(practice: Practice, submission: Submission, result: Any, console: Any) -> None:
    """Measure every graded milestone that has passed and has a goal; say of the others why not."""
    from grader.reports.terminal.paper import Paper
    from grader.reports.terminal.stretch import render_not_measured

    chosen = {milestone.id: milestone for milestone in practice.chosen}
    passed = {one.id for one in result.milestones if one.passed and whole(one, practice.course)}
    goals = [chosen[name] for name in chosen if chosen[name].stretch is not None]
    if not goals:
        known = [milestone.number for milestone in practice.course.milestones if milestone.stretch is not None]
        says = (
            f"there {'is one' if len(known) == 1 else 'are some'} for {', '.join(known)}" if known else "there is none"
        )
        paper = Paper(console)
        paper.block(paper.ours(f"No stretch goal is set here; {says}."))
        return
    kept, submission = Stretches(), practice.on_its_ground(submission)
    for milestone in goals:
        assert milestone.stretch is not None
        console.print()
        if milestone.id not in passed:
            render_not_measured(
                milestone.number, milestone.stretch.title, "it is measured once the milestone has passed.", console
            )
            continue
        _measure(practice, submission, milestone, result, kept, console)
    if kept.trouble:
        print(f"scratchwork: {kept.trouble}", file=sys.stderr)


def _measure(
    practice: Practice, submission: Submission, milestone: Milestone, result: Any, kept: Stretches, console: Any
) -> None:
    from grader.judge.stretching import ROUNDS, NotMeasured, figures
    from grader.reports.terminal.stretch import Measured, render_measured, render_not_measured

    goal = milestone.stretch
    assert goal is not None
    practice.start()

    def tell(number: int) -> None:
        status.update(f"{milestone.number} {goal.title}: {'seed' if goal.seeds else 'round'} {number + 1} of {ROUNDS}")

    with console.status("", spinner="line") as status:
        try:
            rounds = figures(milestone, practice.course, submission, practice.workers, practice.weights, tell)
        except NotMeasured as error:
            status.stop()
            render_not_measured(milestone.number, goal.title, str(error), console)
            return
    name = goal_of(milestone, practice.options.device, practice.workers.level, result.environment)
    earlier = kept.earlier(practice.folder, milestone.id, name)
    best = min if goal.less else max
    before = best(earlier, key=lambda run: goal.counting(run.figures), default=None)
    kept.remember(practice.folder, milestone.id, name, date.today().isoformat(), rounds)
    own_best = (before.figures, before.day) if before else None
    render_measured(Measured(milestone.number, goal, rounds, own_best, len(earlier)), console)
