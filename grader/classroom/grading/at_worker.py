"""What runs on a worker of a cluster: one judge with its sandbox, kept warm from job to job."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from distributed import get_worker

from grader.judge.errors import UsageProblem
from grader.sandbox import cores
from grader.sandbox.errors import SandboxError

from .apart import JudgeApart
from .judging import Graded, Job, Setup

# One for each process: a worker works on one job at a time, always in the same thread of its own. (The sandbox ends
# with the thread that started it.)
_warm: JudgeApart | None = None


@dataclass(frozen=True)
class Refused:
    """A worker that cannot grade (any more)."""

    worker: str  # its address
    reason: str  # in words that follow its name


def boot(setup: Setup, full: bool) -> Refused | None:
    """Start judge and sandbox, and say if that does not work here; `full`: there is a worker for each core."""
    core = int(get_worker().name) if full else None
    if core is not None:
        cores.keep_to_one(core)
    try:
        _judge(setup, core).start()
    except (SandboxError, UsageProblem) as error:
        _close()
        return Refused(get_worker().address, f"cannot grade at the level {setup.isolation}: {str(error).rstrip('.')}")
    return None


def grade_job(setup: Setup, job: Job) -> Graded | Refused:
    """Grade one job."""
    try:
        return _judge(setup).grade(job)
    except SandboxError as error:
        _close()
        return Refused(get_worker().address, f"has lost its sandbox: {str(error).rstrip('.')}")


def close() -> None:
    """End judge and sandbox, when the batch is over."""
    _close()


def _judge(setup: Setup, core: int | None = None) -> JudgeApart:
    global _warm
    if _warm is None or _warm.setup != setup:
        _close()
        _warm = JudgeApart(setup, core=core)
    return _warm


def _close() -> None:
    global _warm
    old, _warm = _warm, None
    if old is not None:
        with contextlib.suppress(SandboxError, OSError):
            old.close()
