"""What an instructor sees while a class is graded: a bar on a terminal, now and then a line everywhere else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.live import Live
from rich.text import Text

from grader.counting import counted
from grader.safe_text import one_line

from .paper import Paper

_QUIET = 15.0  # seconds between two lines where there is no terminal


class ClassProgress:
    """The progress of a batch. No method raises: a strange console must never end a grading."""

    def __init__(self, console: Console, workers: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._workers, self._clock = console, workers, clock
        self._live: Live | None = None
        self._total = self._done = self._kept = 0
        self._faults = 0
        self._now = ""
        self._begun = self._said = clock()
        self._cost: Estimate | None = None

    def start(self, left: Mapping[str, int], kept: int, mean_seconds: Mapping[str, float]) -> None:
        """Say how much there is to do: milestone id → how many of it; and how long each took in earlier runs."""
        self._total, self._kept = sum(left.values()), kept
        self._cost = Estimate(left, mean_seconds)
        self._begun = self._said = self._clock()
        self._quietly(self._start)

    def working(self, workers: int) -> None:
        """Say how many work on it from now on."""
        self._workers = workers
        self._quietly(self._draw)

    def job_started(self, who: str, milestones: tuple[str, ...]) -> None:
        """Say whose submission is looked at now."""
        first = milestones[0]
        self._now = f"{one_line(who, 40)}  {first if len(milestones) == 1 else f'{len(milestones)} milestones'}"
        self._quietly(self._draw)

    def job_ended(self, milestones: tuple[str, ...], seconds: float, faults: int = 0) -> None:
        """Count milestones that are done; `seconds` is how long they took altogether."""
        self._done += len(milestones)
        self._faults += faults
        if self._cost is not None:
            self._cost.done(milestones, seconds)
        self._quietly(self._draw)
        if self._live is None and self._clock() - self._said >= _QUIET:
            self._said = self._clock()
            self._quietly(lambda: self._say(self._counts()))

    def note(self, text: str) -> None:
        """Say one sentence, above the bar where there is one."""
        self._quietly(lambda: self._say(text))

    def stop(self) -> None:
        """End the display; what follows starts on a clean line."""
        live, self._live = self._live, None
        if live is not None:
            self._quietly(live.stop)

    def _start(self) -> None:
        kept = f" ({self._kept} have their result in the gradebook)" if self._kept else ""
        self._say(f"{self._total} milestone{'' if self._total == 1 else 's'} to grade{kept}.")
        if self._total and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def _counts(self) -> str:
        parts = [f"{self._done} of {counted(self._total, 'milestone')}"]
        if self._faults:
            parts.append(f"{self._faults} not graded")
        if left := self._left():
            parts.append(left)
        return ", ".join(parts)

    def _left(self) -> str:
        if self._cost is None or self._done == 0 or self._done >= self._total:
            return ""
        return f"about {duration(self._cost.seconds_left() / max(1, self._workers))} left"

    def _draw(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def _picture(self) -> Text:
        paper = Paper(self._console)
        width = max(10, min(self._console.width, 100) - 1)
        line = paper.bar(self._done / max(1, self._total)) + paper.ours(f"  {self._counts()}")
        return paper.fit(line, width) + Text("\n") + paper.fit(paper.theirs(self._now, "dim"), width)

    def _say(self, text: str) -> None:
        paper = Paper(self._console)
        self._console.print(
            paper.theirs(one_line(text, 600)), soft_wrap=True, highlight=False, markup=False, emoji=False
        )
        self._console.file.flush()

    def _quietly(self, act: Callable[[], object]) -> None:
        with contextlib.suppress(Exception, SystemExit):  # rich exits when the reader of a pipe is gone
            act()


class Estimate:
    """How long the rest takes: what is left of each milestone, times what one took so far, here or in earlier runs."""

    def __init__(self, left: Mapping[str, int], mean_seconds: Mapping[str, float]) -> None:
        self._left = dict(left)
        self._earlier = dict(mean_seconds)
        self._spent: dict[str, float] = {}
        self._count: dict[str, int] = {}

    def done(self, milestones: tuple[str, ...], seconds: float) -> None:
        """Count milestones that were graded together in so many seconds."""
        for name in milestones:
            self._left[name] = self._left.get(name, 0) - 1
            self._count[name] = self._count.get(name, 0) + 1
            self._spent[name] = self._spent.get(name, 0.0) + seconds / len(milestones)

    def seconds_left(self) -> float:
        """Return the estimate for one worker."""
        count = sum(self._count.values())
        overall = sum(self._spent.values()) / count if count else 1.0
        total = 0.0
        for name, left in self._left.items():
            if self._count.get(name):
                one = self._spent[name] / self._count[name]
            else:
                one = self._earlier.get(name, overall)
            total += max(0, left) * one
        return total


def duration(seconds: float) -> str:
    """Return a length of time in words: "40 s", "12 min", "3 h 20 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
