"""The record as a JSON file, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path

from grader import files
from grader.record import Record, from_json, to_json, validate
from grader.reports.student_view import student_view
from grader.reports.text_file import ReportError, write_text_report

LARGEST = 512 * 2**20  # bytes: five hundred checks that print as much as they may
__all__ = ["read", "render", "student_view", "write"]

# Legal in JSON, but not inert when somebody looks at the file in a terminal.
_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def render(record: Record) -> str:
    """Return the record as JSON, the same text for the same record.

    Everything comes back as it was, but for half a surrogate pair, which no UTF-8 file can hold: it becomes the six
    characters of its code. Raises ValueError for a record that does not fit the schema.
    """
    plain = to_json(record)
    validate(plain)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=2)
    text = _SURROGATE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def write(record: Record, path: str | Path) -> None:
    """Write the record; ReportError if it can't be written, or if there is something wrong with it."""
    try:
        text = render(record)
    except ValueError as error:
        raise ReportError(f"The record can't be written to {path}, since it is malformed: {error}.") from error
    write_text_report(path, text)


def read(path: str | Path) -> Record:
    """Read a record; ReportError if the file can't be read or holds none."""
    try:
        return from_json(files.read_json(path, LARGEST))
    except OSError as error:
        raise ReportError(f"The record {path} can't be read: {files.reason(error)}.") from error
    except ValueError as error:
        raise ReportError(f"{path} is no result record of this grader: {error}.") from error
