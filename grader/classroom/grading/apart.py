"""A judge in a process of its own: one that does not come to an end is ended, and the next job gets a new one.

Every limit of a check is on what the student's code does. Should an answer of its hold the judge itself, then this is
the clock that runs out: the milestone has its result, out of time, and the class goes on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from grader import own_rooms, syllabus
from grader.sandbox import cores
from grader.sandbox.errors import SandboxError
from grader.sandbox.warden import kill_below

from .judging import Graded, Job, Plan, Setup, WarmJudge, timed_out

BOOT_SECONDS = 300.0  # until the sandbox stands
PLAN_SECONDS = 300.0  # until the checks are known, before which nothing of a submission has run
END_SECONDS = 10.0  # for a judge to end by itself what it has started
GRACE_SECONDS = 30.0  # after which a judge that nobody ends any more is ended by the system
LINUX = sys.platform == "linux"


class JudgeApart:
    """A `WarmJudge` in another process. With `workers`, those of this process's sandbox; else it has its own."""

    def __init__(self, setup: Setup, workers: Any = None, core: int | None = None) -> None:
        self.setup, self._core = setup, core
        self._workers = workers if hasattr(workers, "for_another_judge") else None
        self._process: Any = None
        self._connection: Connection | None = None
        self._folder = ""  # for what its workers are given at levels where they have no file system of their own
        with tempfile.TemporaryDirectory(prefix="scratchwork-rooms-") as folder:
            self._course = own_rooms.unpacked(setup.rooms, Path(folder), syllabus.load())

    def start(self) -> None:
        """Start the process and wait until its sandbox stands. Raises SandboxError, with its words."""
        if self._process is not None:
            return
        self._folder = tempfile.mkdtemp(prefix="scratchwork-judge-")
        os.chmod(self._folder, 0o711)  # each worker's own folder in there is that one's alone
        # A process with threads is not forked; where that would be, torch is loaded in a server that has none.
        context: Any = multiprocessing.get_context("fork" if self._workers else "forkserver" if LINUX else "spawn")
        multiprocessing.current_process().daemon = False  # or Dask's own processes could not have one themselves
        workers = self._workers.for_another_judge() if self._workers else None
        self._connection, theirs = context.Pipe()
        try:
            arguments = theirs, self.setup, workers, self._core, self._folder
            self._process = context.Process(target=_serve, args=arguments, daemon=True)
            self._process.start()
        finally:
            theirs.close()
            if workers is not None:
                workers.hang_up()
        match self._hear(BOOT_SECONDS):
            case ("ready",):
                return
            case ("lost", str(reason)):
                self.close()
                raise SandboxError(reason)
        self._kill()
        raise SandboxError("the judge's process did not start")

    def grade(self, job: Job) -> Graded:
        """Grade a job, within the time that its checks may take in all.

        Raises SandboxError when there is no sandbox any more, and KeyboardInterrupt.
        """
        self.start()
        assert self._connection is not None
        started = time.perf_counter()
        plan: Plan | None = None
        try:
            self._connection.send(job)
            while True:
                match self._hear(plan.seconds if plan else PLAN_SECONDS):
                    case Plan() as plan:
                        continue
                    case Graded() as graded:
                        return graded
                    case ("lost", str(reason)):
                        self.close()
                        raise SandboxError(reason)
                    case None if plan is not None:
                        self._kill()
                        return timed_out(job, plan, self._course, self.setup.grader, time.perf_counter() - started)
                self._kill()
                return Graded(job.number, self.setup.grader, faults=_faults(job, plan))
        except OSError:
            self._kill()
            return Graded(job.number, self.setup.grader, faults=_faults(job, plan))
        except BaseException:
            self._kill()  # what it says later would be taken for the answer to another question
            raise

    def close(self) -> None:
        """End the judge and its sandbox."""
        if self._process is None:
            return
        assert self._connection is not None
        with contextlib.suppress(OSError):
            self._connection.send(None)
        self._process.join(END_SECONDS)
        self._kill()

    def _kill(self) -> None:
        """End the process and everything below it, wherever it is."""
        process, self._process = self._process, None
        if process is None:
            return
        kill_below(process.pid)
        process.kill()
        process.join()
        assert self._connection is not None
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _hear(self, seconds: float) -> Any:
        """Return what the judge says next; None: nothing within this time, and ("gone",) when it has ended."""
        assert self._connection is not None
        if not self._connection.poll(seconds):
            return None
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            return ("gone",)


def _faults(job: Job, plan: Plan | None) -> dict[str, str]:
    why = "the judge's process ended" if plan else "the judge's process ended before a check began"
    return {name: f"{name[:3]} was not graded: a fault of the grader ({why})." for name in job.milestones}


def _serve(connection: Connection, setup: Setup, workers: Any, core: int | None, folder: str) -> None:
    """Be the judge: say that the sandbox stands, then grade one job after another."""
    signal.signal(signal.SIGINT, lambda *_: None)  # who has started this one ends it
    tempfile.tempdir = folder
    if workers is not None:
        from grader.sandbox.inside import linux

        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if core is not None:
        cores.keep_to_one(core)
    judge = None

    def tell(plan: Plan) -> None:
        connection.send(plan)
        if LINUX:  # for the case that nobody is left who would end this one
            signal.setitimer(signal.ITIMER_REAL, plan.seconds + GRACE_SECONDS)

    try:
        judge = WarmJudge(setup, workers)
        judge.start()
        connection.send(("ready",))
        while (job := connection.recv()) is not None:
            graded = judge.grade(job, tell)
            if LINUX:
                signal.setitimer(signal.ITIMER_REAL, 0)
            connection.send(graded)
    except EOFError:
        pass
    except Exception as error:  # SandboxError, UsageProblem and what nobody thought of: all is said over there
        with contextlib.suppress(OSError):
            connection.send(("lost", str(error).rstrip(".")))
    finally:
        if judge is not None:
            with contextlib.suppress(SandboxError, OSError):
                judge.close()
