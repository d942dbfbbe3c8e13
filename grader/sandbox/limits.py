"""The limits of one check as the judge keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What one check may use. What goes over is that check's outcome."""

    seconds: float = 10.0  # by the judge's clock, without what it waits for a processor
    memory_mb: int = 2048  # growth since the check began, as seen from outside
    processes: int = 64  # processes and threads
    file_mb: int = 64  # one file; all files together get twice as much
    output_kb: int = 1024  # what it prints
    threads: int = 1  # torch's
    loopback: bool = False  # whether its processes may meet on 127.0.0.1; a room asks for it

    def changed(self, **changes: Any) -> Limits:
        """Return these limits with some replaced."""
        return replace(self, **changes)

    def for_worker(self) -> dict[str, int | bool]:
        """Return the part that the worker's own process sets up."""
        return {
            "memory_mb": self.memory_mb,
            "processes": self.processes,
            "file_mb": self.file_mb,
            "threads": self.threads,
            "loopback": self.loopback,
        }
