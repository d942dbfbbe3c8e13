"""What a service is made of, and which of the page's tabs have something behind them."""

from __future__ import annotations

from pathlib import Path

from grader.capstone import parts
from grader.counting import counted
from grader.progress import Progress
from grader.submission import Submission
from grader.syllabus import Syllabus

MILESTONE = "m20_serving"
# Milestone -> the numbers of the tasks that the service calls, directly or through a later milestone.
NEEDED = {
    "m01_tokenizer": (1, 3, 4),
    "m03_embedding": (1, 2, 4),
    "m04_attention": (1, 2, 3, 4),
    "m05_block": (1, 2, 3, 4),
    "m06_gpt": (1, 2, 3),
    "m07_generation": (1, 2, 4),
    MILESTONE: (1, 2, 3, 4, 5, 6, 7, 8),  # and not the text of a Dockerfile
}
FOR_NANO = {"m01_tokenizer": (*NEEDED["m01_tokenizer"], 6), "m06_gpt": (*NEEDED["m06_gpt"], 5)}  # GPT-2's own files
TABS: dict[str, dict[str, tuple[int, ...]]] = {  # likewise, for each of the page's other tabs
    "m10_finetuning": {"m10_finetuning": (1, 3)},
    "m16_bert": {"m16_bert": (1, 2, 3, 4, 5, 6)},
    "m18_rag": {"m17_retriever": (1, 3), "m18_rag": (1, 2, 3)},
}


def missing(submission: Submission, course: Syllabus, nano: bool) -> str:
    """Return one sentence about what the service lacks, and nothing where it lacks nothing."""
    lines = parts.lacking(submission, course, NEEDED | (FOR_NANO if nano else {}))
    if not lines:
        return ""
    more = f", and so it is with {counted(len(lines) - 1, 'thing')} more" if len(lines) > 1 else ""
    first = lines[0].split()[0].partition(".")[0]
    command = f"; nox -s grade -- {first} says what to do" if first in {one.number for one in course.milestones} else ""
    return f"your service cannot run yet: {lines[0].rstrip('.')}{more}{command}."


def tabs(submission: Submission, course: Syllabus, folder: Path) -> list[str]:
    """Return the milestones that have a tab: all that it calls is written, and a last grading, if any, passed."""
    progress, found = Progress(), []
    for name, needed in TABS.items():
        graded = [last for one in needed if (last := progress.last(folder, one)) is not None]
        if not parts.lacking(submission, course, needed) and all(last.passed for last in graded):
            found.append(name)
    return found
