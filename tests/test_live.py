"""Progress while grading: a line for a check on paper, a bar on a terminal, and never the end of a grading."""

from __future__ import annotations

import io
import sys

import pytest
from made_record import every_outcome, make_record
from rich.console import Console

from grader.record import (
    CRASHED,
    FAILED,
    OUT_OF_MEMORY,
    PASSED,
    TIMED_OUT,
    Check,
)
from grader.reports.terminal import report as terminal
from grader.reports.terminal.live import Progress


def test_plain_progress_shows_the_first_check_at_once():
    """Without a terminal the first check that ends is printed and flushed at once, then one line for each task."""
    flushed: list[str] = []

    class Pipe(io.StringIO):
        def flush(self):
            flushed.append(self.getvalue())

    console = Console(file=Pipe(), width=80)
    progress = Progress(console)
    progress.start(8)
    record = make_record(PASSED, FAILED)
    progress.check_started("m01_tokenizer", "m01.1", "Behaviour 1 holds.")
    progress.check_ended(record.milestones[0].tasks[0].checks[0])
    assert flushed[-1].splitlines() == ["Running 8 checks.", "m01.1  passed: Behaviour 1 holds."]

    for task in (record.milestones[0].tasks[0], record.milestones[1].tasks[0]):
        for check in task.checks[1:]:
            progress.check_started("m", task.id, check.title)
            progress.check_ended(check)
    progress.note("One sentence.")
    progress.stop()
    progress.stop()

    assert flushed[-1].splitlines()[2:] == [
        "m01.1  4 of 4 checks pass  (4/8)",
        "One sentence.",
        "m04.1  0 of 3 checks pass  (7/8)",
    ]


@pytest.mark.parametrize("width", [1, 20, 80])
def test_progress_on_a_terminal_leaves_nothing_behind(width):
    """On a terminal the bar and the running check are shown, and the last thing done is to remove them."""
    with io.StringIO() as file:
        progress = Progress(Console(file=file, width=width, force_terminal=True, color_system=None))
        progress.start(2)
        progress.check_started("m04_attention", "m04.1", "Row sums are one.\x1b[2J")
        progress.check_ended(Check("test", "Row sums are one.", PASSED))
        progress.note("A note.")
        progress.check_started("m04_attention", "m04.1", "Second.")
        progress.check_ended(Check("test", "Second.", FAILED))
        progress.stop()
        shown = file.getvalue()

    assert "\x1b[2J" not in shown
    assert shown.rstrip("\r").endswith(("\x1b[2K", "\x1b[?25h"))
    if width == 80:
        assert "1/2  1 passed" in shown
        assert "m04.1  Row sums are one." in shown
        assert "A note." in shown


def test_a_console_that_fails_ends_no_grading(tmp_path, monkeypatch):
    """A console that is closed, can't encode or lost its reader stops neither the progress nor, then, the report."""
    monkeypatch.setattr(sys, "stdout", (tmp_path / "stdout").open("w"))  # rich points it elsewhere when a pipe breaks
    closed = io.StringIO()
    closed.close()

    class Broken(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    for file in (closed, Broken(), io.TextIOWrapper(io.BytesIO(), encoding="ascii")):
        for terminal_like in (False, True):
            progress = Progress(Console(file=file, width=40, force_terminal=terminal_like))
            progress.start(1)
            progress.check_started("m04_attention", "m04.1", "Ω")
            progress.check_ended(Check("test", "Ω", CRASHED, output="Ω"))
            progress.note("Ω")
            progress.stop()
    terminal.render(every_outcome(), Console(file=Broken(), width=40))


def test_progress_counts_checks_that_never_started():
    """A check that ends without having started, or twice, is counted and nothing breaks."""
    with io.StringIO() as file:
        progress = Progress(Console(file=file, width=80))
        progress.check_ended(Check("test", "Never ran.", TIMED_OUT))
        progress.check_ended(Check("test", "Never ran.", OUT_OF_MEMORY))
        progress.stop()

        assert "timed out: Never ran." in file.getvalue()
