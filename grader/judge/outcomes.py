"""From what happened during a check to its outcome and the sentence that the report prints."""

from __future__ import annotations

import builtins
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from grader import record
from grader.counting import counted
from grader.pictures import Picture
from grader.resting import REPORT
from grader.sandbox.errors import PackagesLacking, SandboxError, StudentError, WorkerLost
from grader.sandbox.limits import Limits

from .errors import UsageProblem

TASK_ID = re.compile(r"[mx]\d\d\.\d+")


Frames = Sequence[tuple[str, int, str]]  # file, line, function
Draw = Callable[[], Picture | None]


class CheckFailed(AssertionError):
    """The student's code does not do what the check asks for."""

    def __init__(
        self, message: str, mistake: str | None = None, frames: Frames = (), picture: Draw | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.mistake, self._frames = message, mistake, frames
        self.picture = picture  # called where one is kept

    @property
    def frames(self) -> Frames:
        """Where in the student's code it failed: what was found there, or what it raised before the check said more."""
        raised = self.__context__
        return self._frames or (raised.frames if isinstance(raised, StudentError) else [])


class GraderError(Exception):
    """The grader itself is at fault."""


# What no value of a worker's brings about, once the check has one: a fault of the check, or of this machine.
OURS = (GraderError, UsageProblem, OSError, ImportError)


@dataclass
class Verdict:
    """How a check ended, in the terms of the record."""

    outcome: str
    message: str = ""
    mistake: str | None = None
    blocked_by: str | None = None
    frames: list[tuple[str, int, str]] = field(default_factory=list)
    official: str = ""  # of a problem with a file: what an official report may say, which is nothing of the worker's


def verdict(error: BaseException, task: str, limits: Limits, answered: bool) -> Verdict:
    """Return the verdict on a check that ended with an exception.

    `answered` says whether the student's code has returned anything: only then can an exception in the check's own
    lines come from a value that it could not use.
    """
    if isinstance(error, CheckFailed):
        return Verdict(record.FAILED, error.message, error.mistake, frames=list(error.frames))
    if isinstance(error, StudentError):
        return _student_error(error, task)
    if isinstance(error, WorkerLost):
        return lost(error, limits)
    if isinstance(error, PackagesLacking):
        return Verdict(record.GRADER_ERROR, f"{error}.")
    if isinstance(error, SandboxError):
        return Verdict(record.GRADER_ERROR, f"The sandbox failed: {error}.")
    if isinstance(error, AssertionError) and not isinstance(error, GraderError):
        return Verdict(record.FAILED, str(error) or "The check failed.")
    if answered and isinstance(error, Exception) and not isinstance(error, OURS):
        return Verdict(
            record.FAILED,
            f"The check could not use what your code returned.\n{type(error).__name__}: {str(error)[:300]}",
        )
    return Verdict(record.GRADER_ERROR, f"{type(error).__name__}: {error}")


def _student_error(error: StudentError, task: str) -> Verdict:
    if error.kind == "NotImplementedError":
        named = TASK_ID.fullmatch(error.text.strip())
        if named and named.group() != task:
            return Verdict(record.BLOCKED, f"{named.group()} is not implemented yet.", blocked_by=named.group())
        if named or not error.text.strip():
            return Verdict(record.NOT_STARTED, "Not implemented yet.", frames=error.frames)
    if error.kind == "MemoryError" or ("RuntimeError" in error.bases and "allocate memory" in error.text):
        return Verdict(record.OUT_OF_MEMORY, "Your code asked for more memory than it may use.", frames=error.frames)
    if waits := waits_for_somebody(error):
        return Verdict(record.FAILED, f"Your code cannot go on: {waits}.", frames=error.frames)
    if error.kind == "SystemExit":
        return Verdict(record.CRASHED, "Your code ended the process (sys.exit).", frames=error.frames)
    if error.helper and not error.frames:
        # Whose fault it is, only the worker could say. So nobody is blamed, and nobody excused.
        return Verdict(
            record.FAILED,
            f"This check could not use what your code gave it: {error}\n"
            f"That came out of the check's own helper ({error.helper}), and not out of a line of yours. {REPORT}",
        )
    if error.kind == "TypeError" and not error.frames and "argument" in error.text:
        return Verdict(
            record.FAILED, f"Your code does not take the arguments that the stub's signature has: {error.text}"
        )
    return Verdict(record.FAILED, f"Your code raised {error}", error.mistake, frames=error.frames)


def waits_for_somebody(error: StudentError) -> str:
    """Return what an exception means that comes of waiting for a person, who is not there; else an empty string."""
    where = f"line {error.frames[-1][1]}: " if error.frames else ""
    if error.kind == "EOFError" and "reading a line" in error.text:
        return (
            f"{where}input() waits for somebody to type, and nobody is there; take the value as an argument, or ask "
            'for it under `if __name__ == "__main__":`'
        )
    if error.kind == "BdbQuit":
        return (
            f"{where}breakpoint() waits for somebody to type, and nobody is there; take it out, or grade with --debug"
        )
    return ""


def known_exception(error: StudentError) -> str:
    """Return the name of an exception if it is one of Python's own: the student's could be named after anything."""
    found = getattr(builtins, error.kind, None)
    return error.kind if isinstance(found, type) and issubclass(found, BaseException) else "an exception of its own"


def lost(error: WorkerLost, limits: Limits) -> Verdict:
    """Return the verdict on a check whose worker is gone."""
    if error.limit == "time":
        return Verdict(record.TIMED_OUT, f"Your code did not finish within {limits.seconds:g} s.")
    if error.limit == "memory":
        return Verdict(record.OUT_OF_MEMORY, f"Your code used more than {limits.memory_mb} MB of memory.")
    if error.limit == "processes":
        return Verdict(
            record.CRASHED, f"Your code started more than {counted(limits.processes, 'process', 'processes')}."
        )
    if error.limit == "output":
        return Verdict(record.FAILED, f"Your code printed more than {limits.output_kb} kB; remove the prints.")
    if error.nonsense:
        return Verdict(record.CRASHED, f"The process that ran your code sent {error.nonsense}.")
    if error.with_its_server:
        return Verdict(record.CRASHED, "The sandbox that ran your code ended under it; grade again.")
    code = error.exit_code
    assert code is not None
    if code > 128:
        try:
            name = signal.Signals(code - 128).name
        except ValueError:
            name = f"signal {code - 128}"
        if name == "SIGKILL":
            # Nobody here sent it: the system's own out-of-memory killer is the usual one that does.
            return Verdict(record.CRASHED, "The process that ran your code was killed from outside (SIGKILL).")
        return Verdict(record.CRASHED, f"The process that ran your code crashed ({name}).")
    return Verdict(record.CRASHED, f"Your code ended the process (exit code {code}).")
