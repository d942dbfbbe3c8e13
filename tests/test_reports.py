"""The report on the terminal: what it says, in which words, and what a student may not see.

The screens in tests/golden_reports/ are compared exactly; SCRATCHWORK_UPDATE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import every_report
import pytest
from made_record import SCREENS, fresh_stubs, make_record, make_task, near_miss, official, screen
from rich.console import Console

from grader.record import (
    BLOCKED,
    FAILED,
    GRADER_ERROR,
    NOT_STARTED,
    PASSED,
    TIMED_OUT,
    Milestone,
)
from grader.reports import words
from grader.reports.findings import next_step
from grader.reports.machines import json_report, junit, markdown
from grader.reports.student_view import student_view
from grader.reports.terminal import report as terminal
from grader.reports.terminal.listing import SyllabusRow, render_syllabus
from grader.reports.text_file import write_text_report

GOLDEN = Path(__file__).parent / "golden_reports"


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_is_the_one_that_was_approved(name, width):
    """The terminal report reads exactly as it was approved, wide and narrow."""
    shown = screen(SCREENS[name](), width)
    file = GOLDEN / f"{name}_{width}.txt"
    if os.environ.get("SCRATCHWORK_UPDATE_GOLDEN"):
        write_text_report(file, shown)

    assert shown == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 55, 56, 60, 80, 120, 200])
@pytest.mark.parametrize("name", SCREENS)
def test_no_line_is_wider_than_the_console(name, width):
    """From 40 to 200 columns no line is wider than the console, nor trails off in spaces."""
    for line in screen(SCREENS[name](), width).splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


def test_fresh_stubs_fit_on_one_screen():
    """Two untouched milestones take at most 40 lines and end with what to do first."""
    shown = screen(fresh_stubs())

    assert len(shown.splitlines()) <= 40
    assert "Open exercises/m01_tokenizer.py and implement m01.1 (GPT-2's" in shown
    assert "python -m grader hint m01.1" in shown
    assert "nox -s grade -- m01" in shown


def test_a_failure_says_all_that_helps():
    """A failing task shows what was checked, what came back, the mistake, where, what to read and how to run again."""
    shown = screen(near_miss(), 100)

    for part in (
        "Scores are divided by the square root of d_head before the softmax.",
        "84 of 90 values are off.",
        "Likely mistake: the scores are not divided by sqrt(d_head).",
        "exercises/m04_attention.py:41, in merge",
        "return heads.transpose(1, 2) @ torch.eye(width)",
        "│ query torch.Size([2, 3, 5, 4])",
        "exercises/m04_attention.md, section m04.2 Scaled dot-product attention",
        "nox -s grade -- m04",
        "blocked by m04.2",
        "unchanged since it passed",
    ):
        assert part in shown


def test_on_a_screen_that_is_watched_the_first_failure_stays_in_view():
    """A brief report shows one failure in full, says how many more there are and how to see them, and ends as ever."""
    console = Console(file=io.StringIO(), width=100, force_terminal=False, legacy_windows=False)
    terminal.render(near_miss(), console, brief="f shows all")
    shown = console.file.getvalue()

    assert "Likely mistake: the scores are not divided by sqrt(d_head)." in shown
    assert "expected scalar type Half" not in shown
    assert "1 more task to mend: f shows all." in shown
    assert shown.rstrip().endswith("python -m grader hint m04.2")


def test_a_call_is_shown_only_where_it_can_be_pasted():
    """Lines begin in the first column; of one that would break within a text or a word there is the command alone."""
    call, text = "scaled(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0]]))", "encode('" + "a b " * 30 + "')"
    for line, width, there in (
        (call, 100, True),
        (call, 50, True),
        (text, 60, False),
        ("f(" + "a" * 70 + ")", 60, False),
    ):
        console = Console(file=io.StringIO(), width=width, force_terminal=False, legacy_windows=False)
        terminal.render(near_miss(), console, tries={"m04.2": ("nox -s python -- m04.2", line)})
        shown = console.file.getvalue()
        assert "nox -s python -- m04.2" in shown
        assert (f"\n{line[:20]}" in shown) is there
        assert (line in " ".join(shown.split("\n"))) is there


def test_the_caller_decides_how_to_run_again():
    """The command to run again is the caller's when it gives one, and else names the submission."""
    record = dataclasses.replace(near_miss(), submission="my work")

    assert "nox -s grade -- m04 --submission 'my work'" in screen(record, 100)
    assert "make check M=m04" in screen(record, 100, rerun=lambda milestone: f"make check M={milestone}")


def test_a_long_course_folds_what_needs_no_attention():
    """With many milestones the passed and the untouched ones take one line each."""
    record = near_miss()
    titles = [f"m{number:02}_extra" for number in range(5, 21)]
    record.milestones += [
        Milestone(name, "Extra", [make_task(name[:3], 1, "One", 1, (NOT_STARTED,))]) for name in titles
    ]

    shown = screen(record)

    assert "m20.1" not in shown
    assert re.search(r"m20 +Extra +not started +0 / 1", shown)
    assert "m04.4 Half precision" in shown


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda record: None, "m04.2"),
        (lambda record: record.milestones.pop(0), "m04.2"),
        (lambda record: record.milestones[1].tasks.pop(1), "m04.3"),
        (lambda record: setattr(record.milestones[0], "problem", "It is missing."), None),
    ],
)
def test_the_next_step_is_the_first_unfinished_one(change, expected):
    """The one next thing is the first unfinished task in the syllabus's order, or a file that can't be graded."""
    record = near_miss()
    change(record)

    step = next_step(record)

    assert step is not None
    assert (step.task.id if step.task else None) == expected


def test_a_task_blocked_from_outside_sends_to_what_blocks_it():
    """A task that waits for one that was not graded in this run names that one, and how to grade it."""
    record = fresh_stubs()
    record.milestones.pop(0)
    for task in record.milestones[0].tasks:
        for check in task.checks:
            check.outcome, check.blocked_by = BLOCKED, "m03.2"

    shown = screen(record)

    assert "Finish m03.2 first" in shown
    assert "nox -s grade -- m03" in shown


def test_a_grader_error_is_called_the_graders():
    """A grader error says that it isn't the student's fault, how to report it, and asks for nothing to be mended."""
    record = make_record(PASSED, PASSED)
    record.milestones[0].tasks[0].checks[0].outcome = GRADER_ERROR
    record.milestones[0].tasks[0].checks[0].message = "KeyError: 'h.0.attn'"

    shown = screen(record)

    assert "The grader made a mistake, not you." in shown
    assert "test_behaviour_1: KeyError: 'h.0.attn'" in shown
    assert "0.1.0+ab12cd34" in shown
    assert "Nothing for you to mend" in shown


def test_a_failure_beside_a_grader_error_is_still_explained():
    """A task with a failed check and a grader error shows both."""
    record = make_record(PASSED, PASSED)
    first, second, *_ = record.milestones[0].tasks[0].checks
    first.outcome, second.outcome, second.message = GRADER_ERROR, FAILED, "The result is None, expected 3."

    shown = screen(record)

    assert "The result is None, expected 3." in shown
    assert "The grader made a mistake, not you." in shown


def test_the_title_of_a_failure_is_about_what_stands_below_it():
    """Where one check fails and a later one runs out of time, no report puts "timed out" above what the first says."""
    record = make_record(PASSED, PASSED)
    record.milestones[0].tasks[0].earned = 0
    first, second, *_ = record.milestones[0].tasks[0].checks
    first.outcome, first.message = FAILED, "The result is None, expected 3."
    second.outcome, second.message = TIMED_OUT, "Your code did not finish within 30 s."

    for form, text in every_report.texts(record).items():
        if "expected 3" in text and form not in ("json", "junit", "annotations", "table", "class"):
            said = " ".join(text.split()).lower()
            assert "failed (another check: timed out)" in said, form
    assert words.finding(record.milestones[0].tasks[1], None) == "passed"


def test_nothing_graded_is_said():
    """A record with no milestones asks for one, and is no success in any format."""
    record = dataclasses.replace(fresh_stubs(), milestones=[])

    assert "Nothing was graded" in screen(record)
    assert ET.fromstring(junit.render(record).encode()).get("errors") == "1"
    assert "passes" not in markdown.render(record)


def test_a_secret_seed_is_in_no_report():
    """The seed of an official run stands in the instructor's JSON file and nowhere else."""
    record = official()

    assert "8f3a" in json_report.render(record)
    for text in (
        screen(record),
        markdown.render(record),
        junit.render(record),
        json_report.render(student_view(record)),
    ):
        assert "8f3a" not in text


def test_the_student_sees_outcomes_and_mistakes_of_an_official_run_only():
    """The student's view keeps outcome, title and mistake; what depends on hidden inputs is gone, times included."""
    record = official()
    said = "m01_tokenizer.py has a syntax error in line 3."
    record.milestones[0].problem = record.milestones[0].official_problem = said
    record.milestones[1].problem = "m04_attention.py cannot be imported: Half but found 0.5"

    view = student_view(record)

    checks = [check for milestone in view.milestones for task in milestone.tasks for check in task.checks]
    assert all(not (check.traceback or check.output or check.evidence or check.seconds) for check in checks)
    assert view.milestones[1].tasks[1].checks[1].mistake == "the scores are not divided by sqrt(d_head)"
    assert [milestone.problem for milestone in view.milestones[:2]] == [said, "This file could not be graded."]
    assert (view.earned, view.possible) == (record.earned, record.possible)
    text = json_report.render(view)
    for hidden in ("float16]", "0.812", "torch.Size", ":88", "Half but found", "84 of 90"):
        assert hidden not in text


def test_the_students_view_of_a_practice_run_is_everything():
    """A practice run hides nothing from the student."""
    assert student_view(near_miss()) == near_miss()


@pytest.mark.parametrize("width", [40, 100])
def test_the_syllabus_is_listed_with_progress(width):
    """`list` shows each milestone with its state, its points and what comes next."""
    rows = [
        SyllabusRow("m01_tokenizer", "Byte-level BPE tokenizer", 25, 25, "passed"),
        SyllabusRow(
            "m04_attention", "Multi-head attention", 16, 3.5, "begun", "next: m04.2 Scaled dot-product attention"
        ),
        SyllabusRow("m05_block", "Transformer block", 12),
    ]
    with io.StringIO() as file:
        render_syllabus(rows, Console(file=file, width=width, color_system=None))
        shown = file.getvalue()

    for part in ("✓ m01", "passed", "25 / 25", "3.5 / 16", "next: m04.2", "not started", "28.5 of 53 points"):
        assert part in shown
    assert max(len(line) for line in shown.splitlines()) <= width


@pytest.mark.parametrize("width", [60, 80])
def test_a_long_result_keeps_its_indent(width):
    """What is too long for the screen even without an indent is wrapped under its label, and so is what goes on."""
    record = near_miss()
    check = record.milestones[1].tasks[1].checks[1]
    check.message = "The result differs.\n" + "wrapped " * 40 + "\n  " + "deeper " * 40

    lines = [line for line in screen(record, width).splitlines() if "wrapped" in line or "deeper" in line]

    assert len(lines) > 6 and all(len(line) <= width for line in lines)
    assert min(len(line) - len(line.lstrip()) for line in lines) >= 13
