"""Reports: what they say, that they say it everywhere, and that no student's text is obeyed in any of them.

The screens in tests/golden_reports/ are compared exactly; SCRATCHWORK_UPDATE_GOLDEN=1 writes them anew.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import re
import sys
import unicodedata
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from grader.record import (
    BLOCKED,
    CRASHED,
    FAILED,
    GRADER_ERROR,
    NOT_STARTED,
    OUT_OF_MEMORY,
    OUTCOMES,
    PASSED,
    TIMED_OUT,
    VALUE,
    Check,
    Frame,
    Milestone,
    Record,
    Task,
)
from grader.reports import json_report, junit, markdown, safe_text, terminal
from grader.reports.findings import next_step
from grader.reports.listing import SyllabusRow, render_syllabus
from grader.reports.live import Progress
from grader.reports.student_view import student_view
from grader.reports.text_file import ReportError, write_text_report

GOLDEN = Path(__file__).parent / "golden_reports"

TOKENIZER = [
    ("GPT-2's pre-tokenization pattern", 4),
    ("Training", 6),
    ("Encoding and decoding", 5),
    ("Streaming", 3),
    ("Special tokens", 3),
    ("GPT-2's own files", 4),
]
ATTENTION = [
    ("Causal mask", 3),
    ("Scaled dot-product attention", 5),
    ("Multi-head attention", 6),
    ("Half precision", 2),
]
FORBIDDEN = "m04_attention.py uses F.scaled_dot_product_attention, which this milestone asks you to build."

HOSTILE = (
    "\x1b[2J\x1b[1;1H\x1b]0;owned\x07\x1b]8;;http://evil.example\x07click\x1b]8;;\x1b\\ \x1b]52;c;cm0gLXJm\x07"
    "[red]markup[/red] \u202egnp.exe\u202c \u200bzero\ufeff </details></code><script>alert(1)</script> ]]> a|b "
    "@octocat #12 www.evil.example https://evil.example ![i](http://evil.example/i.png) `tick` ~~~~ ``````fence\n"
    "```\n::error file=x::forged\r##[group]forged\n  ::add-mask::a\n"
    "\x00nul \ud800half \x9b31mC1 \x85 \u2028 \x0c \ufffe =cmd()|'/c calc'!A0 [[ATTACHMENT|/etc/passwd]] e"
    + "\u0301"
    * 50
)


def make_task(milestone: str, number: int, title: str, points: float, outcomes: tuple[str, ...]) -> Task:
    """Return a task with one check for each outcome."""
    checks = [
        Check(f"test_behaviour_{place}", f"Behaviour {place} holds.", outcome, [VALUE], 0.25)
        for place, outcome in enumerate(outcomes, start=1)
    ]
    earned = points if set(outcomes) == {PASSED} else 0
    return Task(f"{milestone}.{number}", title, points, earned, checks)


def make_record(tokenizer: str, attention: str, **facts: object) -> Record:
    """Return a record of two milestones, every check of which ended in the outcome given."""
    milestones = [
        Milestone(
            name,
            title,
            [make_task(name[:3], n, task, points, (outcome,) * 4) for n, (task, points) in enumerate(tasks, start=1)],
        )
        for name, title, tasks, outcome in (
            ("m01_tokenizer", "Byte-level BPE tokenizer", TOKENIZER, tokenizer),
            ("m04_attention", "Multi-head attention", ATTENTION, attention),
        )
    ]
    record = Record("0.1.0+ab12cd34", "exercises", "0", "cpu", "bubblewrap", milestones=milestones, seconds=3.21)
    return dataclasses.replace(record, **facts)


def fresh_stubs() -> Record:
    """Return the record of the stubs as they are handed out."""
    return make_record(NOT_STARTED, NOT_STARTED)


def near_miss() -> Record:
    """Return a record with one task whose mistake is known, one that raises, and one that waits."""
    record = make_record(PASSED, PASSED)
    record.milestones[0].reused = True
    _, scores, heads, half = record.milestones[1].tasks
    scores.earned = heads.earned = half.earned = 0
    scores.checks[1] = Check(
        "test_scores_are_divided_by_the_root_of_the_head_width",
        "Scores are divided by the square root of d_head before the softmax.",
        FAILED,
        [VALUE],
        0.02,
        message="The result differs from what is expected by up to 0.812 at [1, 2, 3, 4]: got -1.03, expected -0.218 "
        "(allowed: 1e-05).\n84 of 90 values are off.\ngot:      [0.2210, -0.3127, 0.8810, -1.1871, 0.0412, …]\n"
        "expected: [0.1312, -0.4410, 0.9021, -1.2034, 0.1288, …]",
        mistake="the scores are not divided by sqrt(d_head)",
        output="query torch.Size([2, 3, 5, 4])\nkey torch.Size([2, 3, 7, 4])\n",
    )
    for check in heads.checks:
        check.outcome, check.blocked_by = BLOCKED, "m04.2"
    half.checks[0] = Check(
        "test_half_precision[float16]",
        "float16 in gives float16 out, close to the float32 result.",
        FAILED,
        message="Your code raised RuntimeError: expected scalar type Half but found Float",
        traceback=[
            Frame("m04_attention.py", 88, "forward", "    return self.c_proj(self.merge(weights @ value))"),
            Frame("m04_attention.py", 41, "merge", "    return heads.transpose(1, 2) @ torch.eye(width)"),
        ],
    )
    return record


def every_outcome() -> Record:
    """Return a record in which each outcome occurs, with notes, a file that can't be graded and a grader error."""
    record = make_record(FAILED, NOT_STARTED, isolation="process", submission="submissions/ada")
    record.notes = ["bubblewrap is not installed: this run was kept apart by a process alone, enough for practice."]
    tokenizer, attention = record.milestones
    tokenizer.problem = "m01_tokenizer.py has a syntax error in line 12: '(' was never closed."
    attention.notes = [FORBIDDEN]
    attention.tasks = [
        make_task("m04", number, f"Task {number}", 2, (PASSED, outcome))
        for number, outcome in enumerate(OUTCOMES, start=1)
    ]
    attention.tasks[3].checks[1].blocked_by = "m04.3"
    attention.tasks[4].checks[1].output = "step\n" * 4000
    attention.tasks[7].checks[1].message = "KeyError: 'h.0.attn'"
    return record


def official() -> Record:
    """Return the official record of the near miss, with everything that a student may not see."""
    return dataclasses.replace(near_miss(), official=True, seed="8f3a-very-secret", secret_seed=True)


SCREENS = {
    "fresh_stubs": fresh_stubs,
    "near_miss": near_miss,
    "every_outcome": every_outcome,
    "all_passed": lambda: make_record(PASSED, PASSED),
    "official_as_the_student_sees_it": lambda: student_view(official()),
}


def hostile() -> Record:
    """Return a record in which everything that can come from a student is hostile."""
    record = near_miss()
    record.submission = HOSTILE
    record.notes = [HOSTILE]
    record.milestones[0].reused = False
    record.milestones[0].problem = HOSTILE
    attention = record.milestones[1]
    attention.notes = [HOSTILE]
    for task in attention.tasks:
        task.earned = 0
        for check in task.checks:
            check.outcome, check.message, check.output = FAILED, HOSTILE, HOSTILE
            check.traceback = [Frame(HOSTILE, 3, HOSTILE, HOSTILE)] * 10
    attention.tasks[1].checks[0].traceback *= 100
    attention.tasks[0].checks[0].outcome = GRADER_ERROR
    return record


def screen(record: Record, width: int = 80, **facts: object) -> str:
    """Return the terminal report as text."""
    with io.StringIO() as file:
        terminal.render(record, Console(file=file, width=width, color_system=None), **facts)
        return file.getvalue()


def assert_inert(text: str) -> None:
    """Fail if any character of the text does more than be seen."""
    bad = {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert bad <= {"\n"}
    text.encode("utf-8")


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
    record.milestones[0].problem = "m01_tokenizer.py has a syntax error in line 3."

    view = student_view(record)

    checks = [check for milestone in view.milestones for task in milestone.tasks for check in task.checks]
    assert all(not (check.traceback or check.output or check.evidence or check.seconds) for check in checks)
    assert view.milestones[1].tasks[1].checks[1].mistake == "the scores are not divided by sqrt(d_head)"
    assert view.milestones[0].problem == "m01_tokenizer.py has a syntax error in line 3."
    assert (view.earned, view.possible) == (record.earned, record.possible)
    text = json_report.render(view)
    for hidden in ("float16]", "0.812", "torch.Size", ":88", "Half but found", "84 of 90"):
        assert hidden not in text


def test_the_students_view_of_a_practice_run_is_everything():
    """A practice run hides nothing from the student."""
    assert student_view(near_miss()) == near_miss()


def test_the_students_view_beside_solutions_hides_what_an_import_said():
    """With the solutions as prerequisites the message of a file that fails on import is hidden: it could quote them."""
    record = dataclasses.replace(official(), prerequisites="solutions")
    record.milestones[0].problem = "m01_tokenizer.py could not be imported: ValueError: def train_bpe(...)"

    assert "train_bpe" not in json_report.render(student_view(record))


@pytest.mark.parametrize("width", [40, 100])
def test_hostile_text_is_inert_on_a_terminal(width):
    """Escape sequences, bidi overrides, markup and CI commands in a student's text do nothing on a terminal."""
    shown = screen(hostile(), width)

    assert_inert(shown)
    assert re.search(r"\[red\]\s*markup", re.sub(r"\n[ │]*", "", shown))
    assert "\\u202e" in shown
    assert not re.search(r"^\s*::", shown, re.MULTILINE)
    assert "::error" not in shown
    assert "##[" not in shown
    assert len(shown) < 40_000


def test_hostile_text_is_inert_beside_our_own_colours():
    """On a colour terminal the only escape sequences are rich's own for colours."""
    with io.StringIO() as file:
        terminal.render(hostile(), Console(file=file, width=80, force_terminal=True, color_system="standard"))
        shown = file.getvalue()

    assert_inert(re.sub(r"\x1b\[[\d;]*m", "", shown))


def test_hostile_text_is_inert_in_junit():
    """JUnit XML stays well-formed, and asks a CI system for none of its files."""
    text = junit.render(hostile())

    root = ET.fromstring(text.encode("utf-8"))
    assert_inert("".join(root.itertext()))
    assert "[[ATTACHMENT" not in text
    assert {child.tag for child in root.iter()} == {
        "testsuites", "properties", "property", "testsuite", "testcase", "failure", "error", "system-out",
    }  # fmt: skip


def test_hostile_text_is_inert_in_markdown():
    """Markdown holds no HTML, link, image or mention that is a student's, and its table keeps its columns."""
    text = markdown.render(hostile())

    assert_inert(text)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inline = [child for token in tokens for child in token.children or []]
    assert {child.type for child in inline} <= {"text", "code_inline", "strong_open", "strong_close", "softbreak"}
    pages = [token.content.strip() for token in tokens if token.type == "html_block"]
    assert all(re.fullmatch(r"<details>\n<summary>[^<>]*</summary>|</details>", page) for page in pages)
    assert pages.count("</details>") == len(pages) / 2
    words = "".join(child.content for child in inline if child.type == "text") + "".join(pages)
    for linked in ("@octocat", "#12", "www.", "://"):
        assert linked not in words
    cells = [token for token in tokens if token.type in ("tr_open", "td_open")]
    rows = "".join("r" if token.type == "tr_open" else "d" for token in cells)
    assert set(re.findall("d+", rows)) == {"dddd"}


def test_hostile_text_survives_json(tmp_path):
    """A JSON report gives back what went in, but for half surrogates, and is inert when looked at."""
    json_report.write(hostile(), tmp_path / "record.json")

    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert_inert(text)
    check = json_report.read(tmp_path / "record.json").milestones[1].tasks[0].checks[0]
    assert check.output == HOSTILE.replace("\ud800", "\\ud800")


@pytest.mark.parametrize("text", ["A" * 5_000_000, "\x1b[31m" * 1_000_000, "\n" * 5_000_000, "`" * 5_000_000])
def test_megabytes_of_output_are_cut(text):
    """Five megabytes of output, message or source line leave every report short."""
    record = near_miss()
    check = record.milestones[1].tasks[1].checks[1]
    check.output = check.message = text
    check.traceback = [Frame("m04_attention.py", 1, text, text)]

    for report in (screen(record), markdown.render(record), junit.render(record)):
        assert len(report) < 60_000


def test_what_was_left_out_of_the_output_is_said():
    """A cut excerpt keeps the beginning and the end and says how much is missing between them."""
    shown = safe_text.excerpt("first\n" + "x" * 5_000_000 + "\nlast")

    assert shown.startswith("first\n")
    assert shown.endswith("\nlast")
    assert re.search(r"\[\.\.\. 4,999,\d{3} characters left out \.\.\.\]", shown)
    assert len(shown) < 600


@given(st.text(alphabet=st.characters(exclude_categories=())))
@settings(max_examples=150, deadline=None)
def test_any_text_becomes_clean(text):
    """Whatever the text, what is left is inert, fits into XML and HTML, and cleaning it again changes nothing."""
    cleaned = safe_text.clean(text)

    assert_inert(cleaned.replace("\t", " "))
    assert safe_text.clean(cleaned) == cleaned
    element = ET.Element("a", b=cleaned)
    element.text = cleaned
    assert ET.fromstring(ET.tostring(element)).text == (cleaned or None)
    assert "<" not in safe_text.html_text(text)


def test_colours_and_links_leave_only_their_text():
    """Escape sequences vanish whole, whatever ends them, and what they would have shown stays."""
    assert safe_text.clean("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x9b2Kc1") == "red link c1"
    assert safe_text.clean("\x1b]0;never ended\nnext \x1b") == "\nnext \\x1b"


def test_markdown_pieces_fit_into_a_table():
    """Prose and code made of hostile text stay in their cell."""
    rows = f"| a | b |\n|---|---|\n| {safe_text.markdown_prose(HOSTILE)} | {safe_text.markdown_code(HOSTILE)} |"

    tokens = MarkdownIt("commonmark").enable("table").parse(rows)

    cells = [following for token, following in itertools.pairwise(tokens) if token.type == "td_open"]
    assert all("ATTACHMENT" in cell.content for cell in cells)
    assert len(cells) == 2
    assert {child.type for cell in cells for child in cell.children} <= {"text", "code_inline"}


def test_text_that_is_honest_stays():
    """Letters of every script, emoji and combining accents are left as they are."""
    text = "naïve Việt नमस्ते 日本語 مرحبا ✔️ 🙂 e\u0301 \t½\n"

    assert safe_text.clean(text) == text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1", "\x00\x1b[1m=1"])
def test_no_cell_becomes_a_formula(text):
    """A spreadsheet takes no cell of a student's for a formula."""
    assert not safe_text.csv_cell(text).lstrip().startswith(tuple("=+-@＝"))
    assert safe_text.csv_cell("plain") == "plain"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1"])
def test_a_console_that_is_not_utf_8_gets_what_it_can_show(encoding):
    """Consoles without Unicode get ASCII signs and escapes instead of an exception."""
    for record in (hostile(), every_outcome(), fresh_stubs()):
        raw = io.BytesIO()
        file = io.TextIOWrapper(raw, encoding=encoding)
        console = Console(file=file, width=80, color_system=None)
        progress = Progress(console)
        progress.start(1)
        progress.check_started("m04_attention", "m04.1", "Ω ≠ ω …")
        progress.check_ended(record.milestones[1].tasks[0].checks[0])
        progress.stop()
        terminal.render(record, console)
        file.flush()

        shown = raw.getvalue().decode(encoding)
        assert "✓" not in shown
        assert "Score" in shown


def test_a_console_keeps_the_letters_it_has():
    """On a Windows code page a student's é stays and an Ω becomes its code, in the same line."""
    record = near_miss()
    record.milestones[1].tasks[1].checks[1].output = "é Ω"
    file = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    terminal.render(record, Console(file=file, width=80, color_system=None))
    file.seek(0)

    assert "é \\u03a9" in file.read()


def test_symbols_have_ascii_likenesses():
    """On an ASCII console outcomes are words with ASCII signs, and no code of a sign of ours is printed."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    terminal.render(near_miss(), Console(file=file, width=80, color_system=None))
    file.seek(0)
    shown = file.read()

    assert "+ m04.1 Causal mask" in shown
    assert "x m04.2 Scaled dot-product attention" in shown
    assert "\\u" not in shown


def test_no_color_is_respected(monkeypatch):
    """With NO_COLOR set a terminal gets no colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    with io.StringIO() as file:
        terminal.render(every_outcome(), Console(file=file, width=80, force_terminal=True, color_system="standard"))
        shown = file.getvalue()

    assert not re.search(r"\x1b\[[\d;]*(3\d|9\d|4\d)m", shown)


def test_json_is_deterministic_and_comes_back(tmp_path):
    """The same record gives the same bytes, which end with a newline and read back as the same record."""
    for make in SCREENS.values():
        path = tmp_path / "record.json"
        json_report.write(make(), path)

        assert path.read_bytes() == json_report.render(make()).encode()
        assert path.read_bytes().endswith(b"}\n")
        assert json_report.read(path) == make()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema": "other/1"}', '{"schema": 1}', "[" * 100_000, "\udcff"]
)
def test_what_is_no_record_is_refused_in_one_sentence(tmp_path, text):
    """A file that holds no record is refused with one sentence that names it."""
    path = tmp_path / "record.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(ReportError, match=r"record\.json") as refused:
        json_report.read(path)

    assert "\n" not in str(refused.value)


def test_a_missing_record_is_refused(tmp_path):
    """A record that isn't there is refused with one sentence."""
    with pytest.raises(ReportError, match="can't be read: no such file"):
        json_report.read(tmp_path / "none.json")


def test_reports_that_cannot_be_written_say_why(tmp_path):
    """A missing folder and a folder in place of the file each give one sentence."""
    with pytest.raises(ReportError, match="there is no folder"):
        write_text_report(tmp_path / "missing" / "report.json", "text")
    with pytest.raises(ReportError, match="it is a folder"):
        write_text_report(tmp_path, "text")


def test_a_read_only_folder_says_so(tmp_path, monkeypatch):
    """A folder in which nothing may be written gives one sentence, and nothing is left behind."""

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # root may write anywhere, so the system can't be asked to refuse

    with pytest.raises(ReportError, match="not permitted"):
        write_text_report(tmp_path / "report.json", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_replaced_whole(tmp_path):
    """An old report is replaced by the new one, and no other file is left beside it."""
    write_text_report(tmp_path / "report.md", "old")
    write_text_report(tmp_path / "report.md", "nëw\n")

    assert (tmp_path / "report.md").read_bytes() == "nëw\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="this system has no /dev/stdout")
def test_a_report_can_go_to_a_device():
    """A device is written to and not replaced."""
    write_text_report("/dev/null", "text")

    assert Path("/dev/null").is_char_device()


def test_junit_counts_everything_unfinished():
    """In JUnit every check is a case, nothing is skipped, and only passed checks are without fault."""
    record = every_outcome()
    root = ET.fromstring(junit.render(record).encode())

    checks = [check for milestone in record.milestones for task in milestone.tasks for check in task.checks]
    assert root.get("tests") == str(len(checks))
    assert root.get("errors") == str(sum(check.outcome == GRADER_ERROR for check in checks))
    assert root.get("failures") == str(sum(check.outcome not in (PASSED, GRADER_ERROR) for check in checks))
    assert root.get("skipped") == "0"
    assert root.find("./testsuite[@name='m04_attention']/testcase[@classname='m04.3']/failure") is not None


def test_junit_fails_closed():
    """A task with no checks, or a file that could not be graded, is an error even where nothing failed."""
    record = make_record(PASSED, PASSED)
    record.milestones[0].problem = "It could not be read."
    record.milestones[1].tasks[0].checks = []

    assert ET.fromstring(junit.render(record).encode()).get("errors") == "2"


def test_markdown_stays_below_its_limit():
    """A report that is too long keeps its score, table and next step, and says that explanations are missing."""
    text = markdown.render(hostile(), limit=9_000)

    assert len(text.encode()) <= 9_000
    assert "explanations are left out" in text
    assert text.startswith("## Scratchwork: 25 of 41 points")
    assert "**Next:**" in text


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
