"""What a student sees while the checks run: a bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from grader.counting import counted, form
from grader.record import PASSED, Check
from grader.reports import words
from grader.safe_text import one_line

from .paper import STYLE, Paper


class Progress:
    """The progress of one run. No method raises: a strange console must never end a grading."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._total = self._done = self._passed = 0
        self._task = self._title = ""
        self._task_done = self._task_passed = 0
        self._beside = (0, 0)  # checks that have ended, and passed, elsewhere

    def start(self, total_checks: int) -> None:
        """Say how many checks there will be."""
        self._total = total_checks
        self._quietly(self._start)

    def check_started(self, milestone_id: str, task_id: str, title: str) -> None:
        """Say which check runs now."""
        if task_id != self._task:
            self._quietly(self._end_task)
            self._task = task_id
        self._title = title
        self._quietly(self._draw)

    def check_ended(self, check: Check) -> None:
        """Count a check that ended."""
        self._done += 1
        self._task_done += 1
        if check.outcome == PASSED:
            self._passed += 1
            self._task_passed += 1
        if self._done == 1:
            self._quietly(lambda: self._say_first(check))
        # Nothing is drawn: the next check begins at once, and to draw takes half a millisecond.

    def ended_beside(self, ended: int, passed: int) -> None:
        """Count checks that have ended in other judges and have not been told of."""
        news, self._beside = ended > self._beside[0], (ended, passed)
        if news:
            self._quietly(self._draw)

    def note(self, text: str) -> None:
        """Say one sentence, above the bar where there is one."""
        self._quietly(lambda: self._say(Paper(self._console).theirs(one_line(text))))

    def stop(self) -> None:
        """End the display; the report that follows starts on a clean line."""
        self._quietly(self._end_task)
        live, self._live = self._live, None
        if live is not None:
            self._quietly(live.stop)

    def _start(self) -> None:
        console = self._console
        if console.is_terminal and not console.is_dumb_terminal and not console.is_jupyter:
            # No thread and no redirection: the judge owns both, and each check redraws the picture.
            live = Live(
                console=console,
                get_renderable=self._picture,
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            live.start()
            self._live = live
            live.refresh()
        else:
            self._say(Paper(console).ours(f"Running {counted(self._total, 'check')}."))

    def _draw(self) -> None:
        if self._live is not None:
            self._live.refresh()

    def _picture(self) -> Text:
        paper = Paper(self._console)
        width = max(10, min(self._console.width, 100) - 1)
        done, passed = self._done + self._beside[0], self._passed + self._beside[1]
        bar = paper.bar(done / max(1, self._total))
        counts = f"  {done}/{self._total}  {passed} passed"
        line = bar + paper.ours(counts)
        if done > passed:
            line += paper.ours(f", {done - passed} not yet")
        if line.cell_len > width:
            line = paper.ours(counts.strip())
        now = paper.theirs(f"{self._task}  {one_line(self._title)}" if self._task else "starting the sandbox", "dim")
        return paper.fit(line, width) + Text("\n") + paper.fit(now, width)

    def _say_first(self, check: Check) -> None:
        if self._live is None:
            paper = Paper(self._console)
            outcome = paper.ours(words.OUTCOME[check.outcome], STYLE[check.outcome])
            self._say(Text.assemble(f"{self._task}  " if self._task else "", outcome, ": ", paper.ours(check.title)))

    def _end_task(self) -> None:
        done, passed = self._task_done, self._task_passed
        self._task_done = self._task_passed = 0
        if self._live is None and done:
            ended = f"{passed} of {counted(done, 'check')} {form(done, 'passes', 'pass')}"
            self._say(Paper(self._console).ours(f"{self._task}  {ended}  ({self._done}/{self._total})"))

    def _say(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)
        self._console.file.flush()

    def _quietly(self, act: Callable[[], object]) -> None:
        with contextlib.suppress(Exception, SystemExit):  # rich exits when the reader of a pipe is gone
            act()
