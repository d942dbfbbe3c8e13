"""What somebody sees of a capstone: a line for each thing done, the time that is left, and text as it is written."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

from rich.live import Live
from rich.text import Text

from grader.reports.terminal.paper import Paper

SILENT = 30.0  # seconds after which something is said where no picture can change


class Screen:
    """A console, and what is going on now."""

    def __init__(self, console: Any) -> None:
        self.console, self.paper = console, Paper(console)
        self._now = self._tail = ""
        self._share: float | None = None
        self._since = self._said = time.monotonic()
        self._live: Live | None = None
        self._draws = console.is_terminal and not console.is_dumb_terminal

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """Print something of the grader's own."""
        self.paper.block(self.paper.ours(text, style), indent=indent)
        self._flush()

    def done(self, what: str, result: str) -> None:
        """Print what came of something; what it was stands there already where nothing could be drawn."""
        if self._draws:
            self.paper.block(self.paper.ours(f"{what}: ") + self.paper.ours(result, "bold"))
        else:
            self.say(result, indent=2)
        self._flush()

    def quote(self, text: str, indent: int = 2) -> None:
        """Print something that the student's code, or the model, has written."""
        self.paper.block(self.paper.theirs(text), indent=indent, gutter="│ ")
        self._flush()

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show that something goes on, and for how long already, until it ends."""
        self._now, self._tail, self._share, self._since = what, "", None, time.monotonic()
        if not self._draws:
            self.say(f"{what} …")
            with self._speaking():
                yield
            return
        self._live = Live(
            console=self.console,
            get_renderable=self._picture,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with self._live:
                yield
        finally:
            self._live = None

    def progress(self, share: float, what: str, left: float | None = None, tail: str = "") -> None:
        """Say how far it is, and for how long it still takes; `tail` is shown where there is room for it."""
        self._share = share
        self._now = f"{what}, {about(left)} left" if left is not None and left >= 1 else what
        self._tail = tail

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[None]:
        """Say what goes on whenever nothing has been said for a while, where nothing can be drawn."""
        over = threading.Event()

        def speak() -> None:
            while not over.wait(SILENT / 4):
                if time.monotonic() - self._said > SILENT:
                    self.say(f"{self._now} ({lasted(time.monotonic() - self._since)})", "dim", 2)

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _flush(self) -> None:
        self._said = time.monotonic()
        with contextlib.suppress(OSError, ValueError):
            self.console.file.flush()

    def _picture(self) -> Text:
        paper = self.paper
        clock = f"  {lasted(time.monotonic() - self._since)}  "
        bar = paper.bar(self._share) if self._share is not None else Text()
        room = min(self.console.width, 100) - 3  # the terminal itself writes ^C there
        line = paper.ours(clock + self._now)
        whole = line + paper.ours(f"  {self._tail}") if self._tail else bar + line
        line = whole if whole.cell_len + 2 <= room else line  # words say more than a bar
        return paper.fit(Text("  ") + line, room)


class Flow:
    """Text of a model's that is printed while it is being written, wrapped at words, with its gutter on each line."""

    def __init__(self, paper: Paper, indent: int = 2) -> None:
        self._paper, self._margin = paper, Text(" " * indent) + paper.ours("│ ", "dim")
        self._room = paper.width - self._margin.cell_len
        self._column = 0
        self._spaces = 0  # after the last word, which nobody sees where the line ends
        self._word = ""

    def write(self, text: str) -> None:
        """Print what is whole of it: all words but the last, which may go on."""
        for letter in text:
            if letter.isspace():
                self._end_word()
                self._spaces += 1
                if letter == "\n":
                    self._end_line()
            else:
                self._word += letter
        self._flush()

    def end(self) -> None:
        """Print the rest."""
        self._end_word()
        if self._column:
            self._end_line()
        self._flush()

    def _end_word(self) -> None:
        word, self._word = self._paper.theirs(self._word), ""
        if not word:
            return
        if self._column and self._column + self._spaces + word.cell_len > self._room:
            self._end_line()
        for piece in word.wrap(self._paper.console, self._room) if word.cell_len > self._room else [word]:
            if self._column + self._spaces + piece.cell_len > self._room:
                self._end_line()
            gap = Text(" " * self._spaces) if self._column else self._margin
            self._out(gap + piece)
            self._column += piece.cell_len + (self._spaces if self._column else 0)
            self._spaces = 0

    def _end_line(self) -> None:
        if not self._column:
            self._out(self._margin[:-1])
        self._out(Text("\n"))
        self._column = self._spaces = 0

    def _out(self, text: Text) -> None:
        self._paper.console.print(text, end="", soft_wrap=True, highlight=False, markup=False, emoji=False)

    def _flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._paper.console.file.flush()


def lasted(seconds: float) -> str:
    """Return "0.4 s", "40 s", "3 min 5 s", "1 h 10 min"."""
    whole = int(seconds)
    if whole < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def about(seconds: float) -> str:
    """Return "about 40 s", "about 3 min", "about 2 h": what nobody knows exactly."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load() -> float:
    """Return how many programs have wanted a core in the last minute; 0 where the system does not say."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return 0.0


def busy() -> str:
    """Return the sentence that this machine has other things to do, where it has."""
    wanted, have = load(), cores()
    if wanted < 1.5 * have:
        return ""
    many = f"{have} cores" if have > 1 else "one core"
    return f"This machine is busy (some {wanted:.0f} programs want its {many}), so all of this takes longer than usual."


def sparkline(values: list[float], width: int = 24) -> str:
    """Return the values as a line of little bars, each the mean of its share of them."""
    blocks = "▁▂▃▄▅▆▇█"
    values = [value for value in values if math.isfinite(value)]
    bars = min(width, len(values))
    pieces = [values[len(values) * i // bars : len(values) * (i + 1) // bars] for i in range(bars)]
    means = [sum(piece) / len(piece) for piece in pieces]
    low, high = min(means, default=0.0), max(means, default=0.0)
    return "".join(blocks[int(7 * (mean - low) / (high - low or 1))] for mean in means)
