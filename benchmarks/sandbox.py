"""The suites on the solutions, sandboxed and inline by turns in one run; and the memory of judge and sandbox."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

from grader import record, syllabus
from grader.judge.grading import grade
from grader.judge.oracles import Weights
from grader.judge.run import Options
from grader.sandbox import levels
from grader.submission import collect

REPOSITORY = Path(__file__).resolve().parents[1]
ROUNDS = 5


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    torch.set_num_threads(1)
    course = syllabus.load()
    submission, weights = collect(REPOSITORY / "solutions", course), Weights("gpt2-nano")
    sandboxed, inline = levels.choose("auto", "cpu", print), levels.workers("inline", "cpu", capture_inline=True)
    peak = Peak()
    start = time.perf_counter()
    sandboxed.wait()
    yield f"boot of the sandbox ({sandboxed.level})", f"{time.perf_counter() - start:.2f} s"
    try:
        for milestone in [*course.milestones, None]:
            names = [milestone.id] if milestone else [part.id for part in course.milestones]
            walls: dict[str, list[float]] = {"sandboxed": [], "inline": []}
            added: list[float] = []
            for round_ in range(ROUNDS + 1):  # the first warms imports and caches up and is not counted
                each: dict[str, record.Record] = {}
                for label, workers in (("sandboxed", sandboxed), ("inline", inline)):
                    start = time.perf_counter()
                    with peak.watching(label):
                        each[label] = grade(Options(names), course, submission, workers, weights)
                    if not each[label].passed:
                        raise SystemExit(f"the solutions do not pass {label}; nothing to measure")
                    if round_:
                        walls[label].append(time.perf_counter() - start)
                if round_:
                    added += differences(each["sandboxed"], each["inline"])
            there, here = (statistics.median(walls[label]) for label in ("sandboxed", "inline"))
            count = len(added) // ROUNDS
            title = milestone.id if milestone else "all milestones"
            yield f"{title}: {count} checks sandboxed / inline, median of {ROUNDS}", f"{there:.2f} s / {here:.2f} s"
            yield f"{title}: wall ratio after boot", f"{there / here:.2f}"
            yield f"{title}: added per check, (sandboxed - inline) / checks", f"{(there - here) / count * 1e3:.1f} ms"
            yield f"{title}: added per check, median over checks", f"{statistics.median(added) * 1e3:.1f} ms"
    finally:
        sandboxed.close()
    yield "peak memory of judge plus sandbox (PSS)", f"{peak.highest['sandboxed'] / 2**20:.0f} MB"


def differences(sandboxed: record.Record, inline: record.Record) -> list[float]:
    """Return for each check how many seconds longer it took in the sandbox."""
    return [there.seconds - here.seconds for there, here in zip(checks(sandboxed), checks(inline), strict=True)]


def checks(result: record.Record) -> list[record.Check]:
    """Return all checks of a record in order."""
    return [check for milestone in result.milestones for task in milestone.tasks for check in task.checks]


class Peak:
    """The largest memory of this process and everything below it, looked at every 50 ms."""

    def __init__(self) -> None:
        self.highest: dict[str, int] = {}

    def watching(self, label: str) -> Watch:
        """Watch for as long as a with statement lasts."""
        return Watch(self, label)


class Watch:
    """One period of watching."""

    def __init__(self, peak: Peak, label: str) -> None:
        self._peak, self._label, self._stop = peak, label, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            me = psutil.Process()
            total = 0
            for process in [me, *me.children(recursive=True)]:
                try:
                    full = process.memory_full_info()
                    total += getattr(full, "pss", full.rss)
                except psutil.Error:
                    continue
            self._peak.highest[self._label] = max(self._peak.highest.get(self._label, 0), total)
