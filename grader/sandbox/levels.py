"""Isolation levels: which one this machine offers, what each does not stop, and falling back in one clear line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from grader.record import OFFICIAL_LEVELS as OFFICIAL

from . import bubblewrap, packages, users
from .errors import SandboxError
from .forking import ForkServer
from .inline import InlineWorkers
from .starting import FreshWorkers

LEVELS = ("bubblewrap", "user", "process", "inline")
REPOSITORY = Path(__file__).resolve().parents[2]
# What a worker has no business to read: absent at the bubblewrap level, made unreadable at the user level.
PRIVATE = ("grader/suites", "grader/judge", "solutions", "fixtures", "tests", "submissions", ".git", ".scratchwork")

GAPS = {
    "bubblewrap": [],
    "user": [
        "the user level does not stop network access, limits neither the number of files nor the space that they take "
        "together, in its folder and in /dev/shm, and does not count what lies in sockets"
    ],
    "process": [
        "the process level hides nothing on this machine from the submission: it is for practice, "
        "on code that you would run yourself",
        "the process level counts processes every 20 ms, and neither threads nor files",
    ],
    "inline": ["the inline level has no sandbox and no limits: it is for debugging your own code"],
}


_private: set[Path] = set()  # of those a course has brought with it


def keep_private(folders: Iterable[Path]) -> None:
    """Close more folders to workers, from the next start of any on: at the user level they would be found."""
    _private.update(folders)


def private_folders() -> list[Path]:
    """Return the folders that the user level closes to everybody but root."""
    return [*(REPOSITORY / name for name in PRIVATE), *sorted(_private), *packages.refused_packages()]


def gaps(level: str) -> list[str]:
    """Return what a level does not stop here, in words for one line each."""
    found = list(GAPS[level])
    if level == "process" and not sys.platform.startswith("linux"):
        found.append("on this system memory is limited by the grader's watch alone, and the size of files may not be")
    if level != "inline" and sys.platform.startswith("linux"):
        from .inside import landlock, refusals

        if not refusals.can_refuse_calls():
            found.append("this machine has no way to refuse system calls: memory that no process maps is not limited")
        if level != "bubblewrap" and not landlock.version():
            found.append("this kernel has no Landlock: a submission may write wherever its user may, and open devices")
    return found


def gap_notes(level: str) -> list[str]:
    """Return the same as a sentence each, as a report has them."""
    return [f"{gap[:1].upper()}{gap[1:]}." for gap in gaps(level)]


def platform_forks(device: str) -> bool:
    """Whether a process with torch imported may fork here: on Linux, before any accelerator is touched."""
    return sys.platform.startswith("linux") and device == "cpu"


def unavailable(level: str) -> str | None:
    """Return why a level cannot be used here, in words for one line, or None."""
    if level == "bubblewrap":
        return bubblewrap.unavailable()
    if level == "user":
        return _user_unavailable()
    return None


def _user_unavailable() -> str | None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "the user level needs Linux and a judge that runs as root"
    needed = [packages.interpreter(), Path(packages.standard_library()[0]), packages.INSIDE]
    needed += list(packages.allowed_packages().values())
    for path in needed:
        if not users.readable_by_others(path):
            return f"other users cannot read {path}, which a worker needs"
    return None


def workers(level: str, device: str, capture_inline: bool = False) -> Any:
    """Return what hands out workers at a level; nothing is started yet."""
    if level == "inline":
        return InlineWorkers(device, capture_inline)
    if level == "user":
        users.hide(private_folders())
        users.open_folders()  # now: to look for them takes seconds
    if platform_forks(device):
        return ForkServer(level)
    return FreshWorkers(level, device)


def choose(wanted: str, device: str, note: Callable[[str], None]) -> Any:
    """Return workers at the level wanted; `auto` takes the strongest that works. Each fall is noted in one line.

    Raises SandboxError when a level asked for by name does not work here.
    """
    found = _choose(wanted, device, note)
    if found.level != "inline" and not platform_forks(device):
        where = f"with --device {device}" if sys.platform.startswith("linux") else "on this system"
        note(f"Forking is not safe {where}: the checks of a milestone share one process, until one of them fails.")
    return found


def _choose(wanted: str, device: str, note: Callable[[str], None]) -> Any:
    if wanted != "auto":
        reason = unavailable(wanted)
        if reason is None:
            return workers(wanted, device)
        raise SandboxError(f"the isolation level {wanted} does not work here: {reason}")
    for level in LEVELS[:3]:
        reason = unavailable(level)
        if reason is None:
            return workers(level, device)
        if level != "user":  # that root alone has one more level interests nobody else
            note(f"The isolation level {level} does not work here: {reason}.")
    raise SandboxError("no isolation level works here")


def strongest_for_strangers() -> str:
    """Return the strongest level that works here, of those that other people's code may be graded at.

    Raises SandboxError, with the reasons, when none does.
    """
    reasons = []
    for level in OFFICIAL:
        reason = unavailable(level)
        if reason is None:
            return level
        reasons.append(f"{level}: {reason}")
    raise SandboxError(
        f"other people's code is graded at the level {' or '.join(OFFICIAL)} only, and neither works here "
        f"({'; '.join(reasons)})"
    )


def fall_back(failed: str, device: str) -> Any | None:
    """Return workers at the next weaker level than one that failed to start, or None."""
    for level in LEVELS[LEVELS.index(failed) + 1 : 3]:
        if unavailable(level) is None:
            return workers(level, device)
    return None
