"""JSON, JUnit and Markdown files: complete, deterministic, within their limits, replaced whole."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import systems
from made_record import SCREENS, every_outcome, hostile, make_record

from grader.record import (
    GRADER_ERROR,
    PASSED,
)
from grader.reports.machines import json_report, junit, markdown
from grader.reports.text_file import ReportError, write_text_report


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


@systems.posix
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
    assert root.get("skipped") is None, "a schema that many readers have refuses it there"
    assert {suite.get("skipped") for suite in root} == {"0"}
    assert root.find("./testsuite[@name='m04_attention']/testcase[@classname='m04_3']/failure") is not None


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
