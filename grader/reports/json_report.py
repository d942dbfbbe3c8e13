"""The record as a JSON file, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path

from grader.record import Record, from_json, to_json
from grader.reports.student_view import student_view
from grader.reports.text_file import ReportError, write_text_report

__all__ = ["read", "render", "student_view", "write"]

# Legal in JSON, but not inert when somebody looks at the file in a terminal.
_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def render(record: Record) -> str:
    """Return the record as JSON, the same text for the same record.

    Everything comes back as it was, but for half a surrogate pair, which no UTF-8 file can hold: it becomes the six
    characters of its code.
    """
    text = json.dumps(to_json(record), ensure_ascii=False, allow_nan=False, indent=2)
    text = _SURROGATE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def write(record: Record, path: str | Path) -> None:
    """Write the record; ReportError if it can't be written."""
    write_text_report(path, render(record))


def read(path: str | Path) -> Record:
    """Read a record; ReportError if the file can't be read or holds none."""
    try:
        return from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReportError(f"The record {path} can't be read: {reason}.") from error
    except (ValueError, RecursionError, AttributeError) as error:
        raise ReportError(f"{path} is no result record of this grader: {error}.") from error
