"""Tables in CSV files: reading what an LMS wrote, writing what it reads, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from grader import files, tables
from grader.safe_text import csv_cell, one_line

LIMIT = 16 * 1024 * 1024  # bytes of a file that is read
_BEFORE_A_QUOTE = re.compile(r'\\(?="|$)')  # a cell's end may become a quote
_NUMBER = re.compile(r"[-+]?[\d.,]*\d%?")


class SheetError(Exception):
    """A table that can't be read or filled in; the text is one sentence."""


@dataclass
class Sheet:
    """One table. Rows are as long as the header."""

    header: list[str]
    rows: list[list[str]]
    delimiter: str = ","
    mark: bool = False  # begins with a byte order mark, as spreadsheets write it


@dataclass
class Export:
    """What an export wrote, and one sentence for each thing that whoever imports it has to know."""

    text: str
    warnings: list[str] = field(default_factory=list)


def read_sheet(path: str | Path) -> Sheet:
    """Read a CSV file, comma or semicolon, with or without a byte order mark; SheetError if it is none."""
    try:
        data = files.read(path, LIMIT)
    except files.TooLarge:
        raise SheetError(f"{path} is larger than {LIMIT // 1024**2} MB, which no table of grades is.") from None
    except (OSError, ValueError) as error:
        raise SheetError(f"{path} can't be read: {files.reason(error)}.") from error
    try:
        found, delimiter = tables.rows(tables.decoded(data))
    except tables.NoTable as error:
        raise SheetError(f"{path} {error}.") from error
    except csv.Error as error:
        raise SheetError(f"{path} is no CSV file: {error}.") from error
    rows = [row.cells for row in found]
    if not rows:
        raise SheetError(f"{path} is empty; it has to begin with a row of column names.")
    width = len(rows[0])
    rows = [row + [""] * (width - len(row)) for row in rows]
    if long := next((number for number, row in enumerate(rows, start=1) if len(row) > width), None):
        raise SheetError(f"Row {long} of {path} has more cells than the {width} columns of its header.")
    return Sheet([name.strip() for name in rows[0]], rows[1:], delimiter, data.startswith(b"\xef\xbb\xbf"))


def render_sheet(sheet: Sheet) -> str:
    """Return the table as CSV text, quoted where it has to be, that PHP parts into the same cells."""
    with io.StringIO() as file:
        writer = csv.writer(file, delimiter=sheet.delimiter, lineterminator="\n")
        writer.writerows([_for_php(cell) for cell in row] for row in [sheet.header, *sheet.rows])
        return ("\ufeff" if sheet.mark else "") + file.getvalue()


def _for_php(cell: str) -> str:
    """Return a cell without a backslash directly before a quote, which would not end the cell for PHP's reader."""
    return _BEFORE_A_QUOTE.sub(r"\\ ", cell) if "\\" in cell else cell


def words_cell(text: str) -> str:
    """Return somebody's words for a cell: one line, nothing hidden, no formula.

    On one line, since Canvas guesses the delimiter from the file's first three lines, whatever is quoted in them.
    """
    return csv_cell(one_line(text, 1000))


def kept_cell(text: str) -> str:
    """Return another program's cell as it was, unless a spreadsheet would run it; numbers and dashes stay."""
    if text.strip() in ("", "-") or _NUMBER.fullmatch(text.strip()):
        return text
    guarded = csv_cell(text)
    return f"'{text}" if guarded.startswith("'") and not text.startswith("'") else text


def is_key(text: str) -> bool:
    """Say whether a text can be a key: it stays as it is, byte for byte, so it must be harmless as it is."""
    harmless = csv_cell(text) == text == one_line(text) and _for_php(text) == text
    return bool(text) and text == text.strip() and harmless


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return names for a sentence, the first few of many."""
    shown = [one_line(name, 80) for name in names]
    if len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most} more"
    return ", ".join(shown)
