"""A batch on this machine, one submission after the other, in a judge and a sandbox that stay warm."""

from __future__ import annotations

from typing import Any

from grader.practice import Station

from .batch import Batch
from .judging import WarmJudge


def grade_here(batch: Batch, station: Station, progress: Any) -> None:
    """Grade everything that is due. Raises SandboxError when no sandbox starts any more, and KeyboardInterrupt."""
    judge = WarmJudge(batch.setup, station.workers, station.weights)
    try:
        for job in batch.jobs():
            progress.job_started(batch.names(job), job.milestones)
            graded = judge.grade(job)
            batch.take(graded)
            progress.job_ended(job.milestones, graded.seconds, len(graded.faults))
    finally:
        station.workers = judge.workers  # it may have had to start another one
