"""How a capstone begins, and whatever else a student's modules play together in: what is missing, and the sandbox."""

from __future__ import annotations

from typing import Any

from grader.exits import NOT_PASSED
from grader.sandbox import levels


def opened(isolation: str, device: str, show: Any) -> Any:
    """Return the sandbox, ready; what there is to say about it is said."""
    notes: list[str] = []
    workers = levels.choose(isolation, device, notes.append)
    workers.boot()
    workers.wait()
    for note in notes:
        show.say(note, "dim")
    return workers


def say_missing(console: Any, missing: list[str], why: str) -> int:
    """Name what is still needed."""
    console.print(f"{why} These are missing:", style="bold")
    for line in missing:
        console.print(f"  ○ {line}" if console.encoding.lower().startswith("utf") else f"  - {line}")
    first = missing[0].split()[0]
    if "." in first:
        console.print(f"\nNext: {first}. Then run nox -s grade -- {first.split('.')[0]}")
    return NOT_PASSED
