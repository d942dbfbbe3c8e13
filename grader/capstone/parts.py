"""What the capstone is made of, and which of it a submission lacks."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from grader.submission import Submission
from grader.syllabus import Syllabus

# Milestone -> the numbers of the tasks that the capstone calls, directly or through a later milestone.
NEEDED = {
    "m01_tokenizer": (1, 2, 3),  # and 4, which has no function of its own: the driver looks for what it does
    "m02_data": (5,),
    "m03_embedding": (1, 2, 4),
    "m04_attention": (1, 2, 3, 4),
    "m05_block": (1, 2, 3, 4),
    "m06_gpt": (1, 2, 3),
    "m07_generation": (1, 2, 3),
    "m08_training": (1, 2, 3, 4, 6),
}
FINE_TUNING = {"m10_finetuning": (2, 3, 4)}
ALIGNING = {"m12_preference": (1, 2, 3)}
ANSWERING = {"m10_finetuning": (2,)}  # to tell a model that has learned instructions what to do


def lacking(submission: Submission, course: Syllabus, needed: Mapping[str, tuple[int, ...]] = NEEDED) -> list[str]:
    """Return a line for each module or task that is needed, by the capstone if not said, and is not written."""
    lines = []
    offered = {milestone.id for milestone in course.milestones}
    for name, numbers in needed.items():
        if name not in offered:
            lines.append(f"{name} is not part of this copy of the course.")
            continue
        if name in submission.problems:
            lines.append(submission.problems[name])
            continue
        milestone = course.milestone(name)
        open_tasks = unwritten(submission.sources[name])
        for task in milestone.tasks:
            if task.id in open_tasks and int(task.id.rpartition(".")[2]) in numbers:
                lines.append(f"{task.id} {task.title} is not written yet ({name}.py).")
    return lines


def unwritten(source: bytes) -> set[str]:
    """Return the ids of the tasks whose `raise NotImplementedError("m04.2")` still stands in a module.

    A module that Python cannot read lacks nothing here: it is reported when it is loaded.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"), args=[ast.Constant(value=str(task))])):
                found.add(task)
    return found
