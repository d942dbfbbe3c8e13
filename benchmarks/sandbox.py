"""The suites on the solutions, sandboxed and inline by turns in one run; and the memory of judges and sandbox."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

from grader import record, syllabus
from grader.judge.crew import most_judges
from grader.judge.grading import grade
from grader.judge.oracles import Weights
from grader.judge.planned import Options
from grader.sandbox import levels
from grader.submission import collect

from .memory import below

REPOSITORY = Path(__file__).resolve().parents[1]
ROUNDS = 5
COMPARED = ("sandboxed", "inline")  # check by check, with one judge on both sides
WARM_UP = ("m05_block", "m07_generation")


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    torch.set_num_threads(1)
    course = syllabus.load()
    submission, weights = collect(REPOSITORY / "solutions", course), Weights("gpt2-nano")
    sandboxed, inline = levels.choose("auto", "cpu", print), levels.workers("inline", "cpu", capture_inline=True)
    sides = {"sandboxed": (sandboxed, 1), "inline": (inline, 1), "side by side": (sandboxed, most_judges(sandboxed))}
    peak = Peak()
    start = time.perf_counter()
    sandboxed.wait()
    yield f"boot of the sandbox ({sandboxed.level})", f"{time.perf_counter() - start:.2f} s"
    names = [milestone.id for milestone in course.milestones]
    walls: dict[str, list[float]] = {label: [] for label in sides}
    rounds: dict[str, list[record.Record]] = {label: [] for label in sides}
    try:
        for workers, _ in sides.values():
            grade(Options(list(WARM_UP)), course, submission, workers, weights)  # what is imported once
        for _ in range(ROUNDS):
            for label, (workers, judges) in sides.items():
                start = time.perf_counter()
                result = grade(Options(names, judges=judges), course, submission, workers, weights)
                walls[label].append(time.perf_counter() - start)
                rounds[label].append(result)
                if not result.passed:
                    raise SystemExit(f"the solutions do not pass {label}; nothing to measure")
        for label, judges in (("one judge", 1), ("all judges", most_judges(sandboxed))):
            with peak.watching(label):  # in a round of its own: to look at memory takes time from whoever has it
                grade(Options(names, judges=judges), course, submission, sandboxed, weights)
    finally:
        sandboxed.close()
    for index, name in enumerate(names):
        there, here = (
            statistics.median(seconds(result.milestones[index]) for result in rounds[label]) for label in COMPARED
        )
        count = len(checks_of(rounds["inline"][0].milestones[index]))
        yield f"{name}: {count} checks sandboxed / inline, median of {ROUNDS}", f"{there:.2f} s / {here:.2f} s"
        yield f"{name}: added per check, (sandboxed - inline) / checks", f"{(there - here) / count * 1e3:.1f} ms"
    there, here = (statistics.median(walls[label]) for label in COMPARED)
    count = len(checks(rounds["inline"][0]))
    added = [
        late - early
        for one, other in zip(rounds["sandboxed"], rounds["inline"], strict=True)
        for late, early in zip(each_second(one), each_second(other), strict=True)
    ]
    yield f"whole grade: {count} checks sandboxed / inline, median of {ROUNDS}", f"{there:.2f} s / {here:.2f} s"
    for label, (_, judges) in sides.items():
        if label == "inline":
            continue
        # Round by round: a machine whose neighbours come and go is another one a minute later.
        ratios = [one / other for one, other in zip(walls[label], walls["inline"], strict=True)]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        who = "as `grade` does it, at most 1.25" if label == "side by side" else "of one judge"
        yield (
            f"whole grade: wall ratio after boot ({who}; judges: {judges}), median of {each}",
            f"{statistics.median(ratios):.2f}",
        )
    yield (
        "whole grade: added per check, (sandboxed - inline) / checks (at most 30 ms)",
        f"{(there - here) / count * 1e3:.1f} ms",
    )
    yield "whole grade: added per check, median over checks", f"{statistics.median(added) * 1e3:.1f} ms"
    slowest = sorted(checks(rounds["sandboxed"][-1]), key=lambda check: -check.seconds)[:3]
    for check in slowest:
        yield f"among the slowest checks (at most 10 s): {check.id[:40]}", f"{check.seconds:.1f} s"
    for label, highest in peak.highest.items():
        yield f"peak memory of {label} plus sandbox (PSS)", f"{highest / 2**20:.0f} MB"


def seconds(milestone: record.Milestone) -> float:
    """Return how long a milestone's checks took."""
    return sum(check.seconds for check in checks_of(milestone))


def each_second(result: record.Record) -> list[float]:
    """Return how long each check took, in order."""
    return [check.seconds for check in checks(result)]


def checks(result: record.Record) -> list[record.Check]:
    """Return all checks of a record in order."""
    return [check for milestone in result.milestones for check in checks_of(milestone)]


def checks_of(milestone: record.Milestone) -> list[record.Check]:
    """Return all checks of a milestone in order."""
    return [check for task in milestone.tasks for check in task.checks]


class Peak:
    """The largest memory of this process and everything below it, looked at twice a second."""

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
            total = below(psutil.Process())
            self._peak.highest[self._label] = max(self._peak.highest.get(self._label, 0), total)
