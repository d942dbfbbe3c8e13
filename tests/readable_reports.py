"""What every report of a hostile submission must be: made, agreeing with the others, and inert wherever it is shown."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import lms_readers
import support
from every_report import WIDTHS, texts
from markdown_it import MarkdownIt
from rich.cells import cell_len

from grader import record, safe_text
from grader.reports.machines import annotations

NARROWEST = 48  # a command to copy is not broken
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CI_COMMAND = re.compile(r"^\s*(::[a-z]|##(\[|vso|teamcity))", re.MULTILINE)


class Elements(HTMLParser):
    """What a browser makes of a page: its elements, and their attributes."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        self.tags.add(tag)
        self.attributes |= {(name, value) for name, value in attrs if name.startswith("on") or name in ("src", "href")}


OWN_ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "a", "p", "strong", "pre"),
    *("h1", "h2", "h3", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "label", "progress"),
}


def strings(plain):
    """Return every text in plain data."""
    if isinstance(plain, dict):
        return [text for part in plain.items() for text in strings(list(part))]
    return [text for part in plain for text in strings(part)] if isinstance(plain, list) else [str(plain)]


def expect_inert(shown, result):
    """Fail if a page, a platform, a CI log or a spreadsheet would take anything that a submission said for its own."""
    page = Elements(shown["html"])
    assert page.tags <= OWN_ELEMENTS, "html"
    assert page.attributes == {("href", "#main")}, "html"

    remarks = lms_readers.workflow_commands(shown["annotations"])
    assert len(remarks) == shown["annotations"].count("\n") <= len(result.milestones), "annotations"
    for remark in remarks:
        assert remark["command"] in annotations.KINDS and remark.keys() <= {
            "command",
            "message",
            "file",
            "line",
            "title",
        }
        assert re.fullmatch(r"exercises/\w+\.py", remark["file"]), "annotations"

    scored, told = json.loads(shown["gradescope"]), json.loads(shown["github classroom"])
    assert scored["score"] == sum(test["score"] for test in scored["tests"]) == result.earned, "gradescope"
    assert {scored[name] for name in ("output_format", "test_output_format", "test_name_format")} == {"text"}
    assert sum(test["score"] for test in told["tests"]) == result.earned, "github classroom"
    assert (told["status"] == "pass") == result.passed, "github classroom"
    for text in [*strings(scored), *strings(told)]:
        assert CONTROLS.search(text) is None, text
    assert not [text for text in strings(told) if re.search(r"::[a-z]|##\[", text)], "github classroom"

    assert CI_COMMAND.search(shown["feedback"]) is None, "feedback"
    assert lms_readers.spreadsheet_formulas(shown["table"]) == [], "table"


def expect_readable(result):
    """Fail unless every report can be made, says the same and holds nothing that a screen or a CI log would obey."""
    shown = texts(result)
    for name, text in shown.items():
        text.encode("utf-8")
        found = CONTROLS.search(text)
        assert found is None, f"{name} holds {found[0]!r} in {text[max(0, found.start() - 60) : found.end() + 20]!r}"
    assert record.from_json(json.loads(shown["json"])).earned == json.loads(shown["json"])["earned"] == result.earned
    bad = [case for case in ET.fromstring(shown["junit"].partition("\n")[2]).iter("testcase") if len(case)]
    assert len(bad) == len([check for check in support.checks(result) if check.outcome != record.PASSED])
    assert "<script" not in MarkdownIt("commonmark", {"html": True}).render(shown["markdown"])
    expect_inert(shown, result)
    for name, text in shown.items():
        if name != "json":  # which is for machines, and keeps what was said
            marks = "".join("m" if unicodedata.category(letter) in ("Mn", "Me") else " " for letter in text)
            assert "m" * (safe_text.MOST_MARKS + 1) not in marks, f"{name} has a stack of marks"
    for width in WIDTHS:
        screen = shown[f"terminal {width}"]
        assert CI_COMMAND.search(screen) is None
        assert max(map(cell_len, screen.splitlines())) <= max(width, NARROWEST)
