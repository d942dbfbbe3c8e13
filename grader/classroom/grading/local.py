"""A batch on this machine, one submission after the other, in a judge and a sandbox that stay warm."""

from __future__ import annotations

from typing import Any

from grader.practice import Station

from .apart import JudgeApart
from .batch import Batch


def grade_here(batch: Batch, station: Station, progress: Any) -> None:
    """Grade everything that is due. Raises SandboxError when no sandbox starts any more, and KeyboardInterrupt."""
    judge = JudgeApart(batch.setup, station.workers)
    try:
        for job in batch.jobs():
            progress.job_started(batch.names(job), job.milestones)
            graded = judge.grade(job)
            batch.take(graded)
            progress.job_ended(job.milestones, graded.seconds, len(graded.faults))
    finally:
        judge.close()
