"""Text that comes from a student: shown everywhere, obeyed nowhere; and consoles that cannot show it."""

from __future__ import annotations

import io
import itertools
import re
import sys
import time
import unicodedata
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_record import HOSTILE, assert_inert, every_outcome, fresh_stubs, hostile, near_miss, screen
from markdown_it import MarkdownIt
from rich.console import Console

from grader import safe_text
from grader.record import (
    Frame,
)
from grader.reports.machines import json_report, junit, markdown
from grader.reports.terminal import report as terminal
from grader.reports.terminal.live import Progress


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


EVERY_MARK = [
    letter
    for letter in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(letter) in ("Mn", "Me", "Cf") or unicodedata.combining(letter)
]
EVERY_MARK += [chr(number) for first, last in ((0x1160, 0x11FF), (0xD7B0, 0xD7FF)) for number in range(first, last + 1)]


def test_no_mark_of_any_script_is_stacked():
    """Of fifty marks on one letter three stay, whichever marks Unicode has; what is hidden is written as its code."""
    assert len(EVERY_MARK) > 1500
    for mark in EVERY_MARK:
        shown = safe_text.clean("a" + 50 * mark + "b")

        assert shown.count(mark) <= safe_text.MOST_MARKS and shown[0] + shown[-1] == "ab", f"U+{ord(mark):04X}"
    mixed = safe_text.clean("a" + "".join(mark for mark in EVERY_MARK if safe_text.clean(mark) == mark) + "b")
    assert len(mixed) == 2 + safe_text.MOST_MARKS


HONEST = ["น้ำใจที่นี่", "שָׁלוֹם וּבְרָכָה", "شُكْرًا لَّكُمْ", "Приве́т", "नमस्ते", "1️⃣", "؀٣٤", "Tiếng Việt", "한국어"]


@pytest.mark.parametrize("word", [*HONEST, *(unicodedata.normalize("NFD", word) for word in HONEST[-2:])])
def test_honest_words_keep_their_marks(word):
    """Thai, pointed Hebrew, vocalised Arabic, accented Cyrillic, Vietnamese, Hindi and Korean stay as they are."""
    assert safe_text.clean(word) == word


def test_marks_are_counted_in_a_time_that_grows_as_the_text():
    """Eight times as long a text of marks takes about eight times as long, not sixty-four times."""
    text = "".join("a" + mark * 7 for mark in EVERY_MARK) * 12

    def seconds(whole):
        started = time.process_time()
        safe_text.clean(whole)
        return time.process_time() - started

    assert min(seconds(8 * text) for _ in range(3)) < 30 * min(seconds(text) for _ in range(3))
