"""What can go wrong between judge and worker."""

from __future__ import annotations

from dataclasses import dataclass, field


class SandboxError(Exception):
    """The sandbox itself does not work here: no fault of the submission."""


class PackagesLacking(SandboxError):
    """A milestone has packages of its own, and they are not installed; the text says which, and what to do."""


@dataclass(eq=False)
class StudentError(Exception):
    """The student's code raised an exception. All of it is what the worker says."""

    kind: str
    bases: list[str] = field(default_factory=list)
    text: str = ""
    frames: list[tuple[str, int, str]] = field(default_factory=list)  # file, line, function
    helper: str = ""  # the judge's own function that the worker was running then, if it was one
    mistake: str | None = field(default=None, init=False)  # the judge's own words, not the worker's

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind


@dataclass(eq=False)
class WorkerLost(Exception):
    """The worker is gone before it answered: killed at a limit, crashed, or it spoke nonsense."""

    limit: str | None = None  # time | memory | processes | output
    exit_code: int | None = None  # above 128: killed by the signal exit_code - 128
    nonsense: str | None = None  # what was wrong with its message

    @property
    def with_its_server(self) -> bool:
        """Whether nobody can say how it ended, since the server that made it ended, too."""
        return not self.limit and not self.nonsense and self.exit_code is None

    def __str__(self) -> str:
        if self.limit:
            return f"over the limit on {self.limit}"
        if self.nonsense:
            return f"the worker sent {self.nonsense}"
        if self.with_its_server:
            return "the worker ended with its server"
        return f"the worker ended with exit code {self.exit_code}"
