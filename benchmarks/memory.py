"""How much memory processes take, what they share counted once."""

from __future__ import annotations

import contextlib

import psutil


def below(process: psutil.Process) -> int:
    """Return the memory of a process and of all below it, in bytes: what several share is divided among them (PSS)."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):  # a worker ends at any time
                full = one.memory_full_info()
                total += getattr(full, "pss", full.rss)
    return total
