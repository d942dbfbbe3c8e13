"""Working out where a student goes from what has passed."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from grader import record
from grader.arguments import submission_folder
from grader.capstone import kept
from grader.capstone.parts import NEEDED
from grader.progress import Progress
from grader.reports.onward import FEW, Onward
from grader.syllabus import Milestone, Syllabus, Task

from .compare import reference


def onward(result: Any, course: Syllabus, options: argparse.Namespace, rerun: Any) -> Onward | None:
    """Return the next step after a run in which everything passed; None where nobody practises.

    `rerun` gives the command that grades a milestone under the conditions of this run.
    """
    if result.official or not result.passed:
        return None
    folder, progress = submission_folder(options), Progress()
    here = [milestone.id for milestone in result.milestones]
    done = {m.id for m in result.milestones if whole(m, course)}
    done |= {m.id for m in course.milestones if _passed(progress, folder, m)}
    following = _following(course, here, done)
    step = _task(following, result, progress, folder) if following else None
    number, title = (step.id, step.title) if step else (following.number, following.title) if following else ("", "")
    where = ["--submission", str(folder)] if str(folder) != "exercises" else []
    ready = set(NEEDED) <= done and not (Path(kept.FOLDER) / kept.FACTS).exists()
    more = []
    if len(here) <= FEW and here[-1] in done:
        last = course.milestone(here[-1])
        if reference(last) is None:
            command = ["python", "-m", "grader", "compare", last.number, *where]
            more.append(("See the reference solution beside your own", shlex.join(command)))
        if last.stretch is not None:
            more.append((f"{last.stretch.title}, measured against your own best", f"{rerun(last.number)} --stretch"))
    return Onward(
        name=f"{number} {title}".strip(),
        module=f"{folder}/{following.id}.py" if following else "",
        guide=following.page if following else "",
        command=rerun(number) if following else "",
        capstone=shlex.join(["nox", "-s", "capstone", *(["--", *where] if where else [])]) if ready else "",
        more=tuple(more),
    )


def whole(result: record.Milestone, course: Syllabus) -> bool:
    """Whether all tasks of a milestone were graded, and not some that were named."""
    return len(result.tasks) == len(course.milestone(result.id).tasks)


def _passed(progress: Progress, folder: Path, milestone: Milestone) -> bool:
    last = progress.last(folder, milestone.id)
    return last is not None and last.passed


def _following(course: Syllabus, here: list[str], done: set[str]) -> Milestone | None:
    """Return the first open milestone of a run (some tasks of it were graded) or after it, or else the first at all."""
    places = [place for place, milestone in enumerate(course.milestones) if milestone.id in here]
    after = course.milestones[min(places, default=0) :]
    return next((milestone for milestone in (*after, *course.milestones) if milestone.id not in done), None)


def _task(milestone: Milestone, result: Any, progress: Progress, folder: Path) -> Task | None:
    """Return the next task where only some of a milestone were graded: the first open one behind them, or none."""
    graded = {task.id for one in result.milestones if one.id == milestone.id for task in one.tasks}
    if not graded:
        return None
    last = progress.last(folder, milestone.id)
    done = graded | {task.id for task in (last.tasks if last else ()) if task.outcome == record.PASSED}
    place = max(place for place, task in enumerate(milestone.tasks) if task.id in graded)
    return next((task for task in milestone.tasks[place + 1 :] if task.id not in done), None)
