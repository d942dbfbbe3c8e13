r"""Tables in CSV files as other programs write them: their separators, their encodings, their way to quote a quote.

RFC 4180 doubles a quote in a cell. PHP's fputcsv, and so Moodle, does not where a backslash stands in front of it:
Dag \"D" Berg is written "Dag \"D"" Berg", which is no CSV by the RFC and is read here nonetheless.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

_DECLARED = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # a spreadsheet's own line, which is no row
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WORKBOOKS = (b"PK\3\4", b"\xd0\xcf\x11\xe0")  # .xlsx and .ods are zip archives, .xls has a container of its own
MOST_ROWS = 200_000  # far more than any class has


class NoTable(ValueError):
    """A file holds no table; the text is the second half of a sentence."""


@dataclass
class Row:
    """One row, and the number of the line on which it ends."""

    line: int
    cells: list[str]


def decoded(data: bytes) -> str:
    """Return a file's text: UTF-8, or UTF-16 with its byte-order mark. Raises NoTable for anything else."""
    if data.startswith(_WORKBOOKS):
        raise NoTable("is a spreadsheet program's workbook; save it as CSV in UTF-8")
    try:
        return data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise NoTable("is not UTF-8; export it again, or save it as CSV in UTF-8") from None


def separator(text: str) -> str:
    """Return what parts the columns: whichever of comma, semicolon and tab the first line has most of."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    return max(",;\t", key=first.count)


def rows(text: str) -> tuple[list[Row], str]:
    """Return the rows of a table that are not empty, and what parts their columns.

    A first line `sep=;` says so, and is left out. Raises csv.Error for text that neither way of quoting explains, and
    NoTable for more rows than any class has.
    """
    declared = _DECLARED.match(text)
    parted = declared[1] if declared else separator(text)
    start = declared.end() if declared else 0
    before = 1 if declared else 0
    try:
        plain = _bounded(_as_the_rfc_says(text[start:], parted, before))
        if not _overlong(plain):
            return plain, parted
    except csv.Error:
        plain = []
        if '\\"' not in text:
            raise
    try:
        found = _bounded(_as_php_writes(text[start:], parted, before))
        if not _overlong(found) or not plain:
            return found, parted
    except csv.Error:
        if not plain:
            raise
    return plain, parted


def _bounded(found: Iterator[Row]) -> list[Row]:
    kept = list(islice(found, MOST_ROWS + 1))
    if len(kept) > MOST_ROWS:
        raise NoTable(f"has more than {MOST_ROWS:,} rows, which no class has")
    return kept


def _overlong(found: list[Row]) -> bool:
    return any(len(row.cells) > len(found[0].cells) for row in found)


def _as_the_rfc_says(text: str, parted: str, before: int) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=parted, strict=True)
    for cells in reader:
        if cells:
            yield Row(reader.line_num + before, cells)


def _as_php_writes(text: str, parted: str, before: int) -> Iterator[Row]:
    """Yield the rows of a text in which a quote behind a backslash is a letter, unless its cell ends with it."""
    line, at, cells = 1 + before, 0, list[str]()
    ends = re.compile(f'[{re.escape(parted)}\\r\\n"]')
    while at < len(text):
        if text[at] == '"':
            cell, at = _quoted(text, at + 1, parted)
            line += cell.count("\n")
        else:
            found = ends.search(text, at)
            end = found.start() if found else len(text)
            if found and found[0] == '"':
                raise csv.Error("a quote stands in the middle of a cell")
            cell, at = text[at:end], end
        cells.append(cell)
        if at < len(text) and text[at] == parted:
            at += 1
            if at < len(text) and text[at] not in "\r\n":
                continue
            cells.append("")
        if cells != [""]:
            yield Row(line, cells)
        at += 2 if text[at : at + 2] == "\r\n" else 1
        line, cells = line + 1, []


def _quoted(text: str, at: int, parted: str) -> tuple[str, int]:
    """Return a quoted cell that begins at `at`, and where the text goes on behind its closing quote."""
    letters: list[str] = []
    while (end := text.find('"', at)) >= 0:
        letters.append(text[at:end])
        closing = end + 1 == len(text) or text[end + 1] in (parted, "\r", "\n")
        if text[end - 1] == "\\" and not closing:
            letters.append('"')
            at = end + 1
        elif text[end : end + 2] == '""':
            letters.append('"')
            at = end + 2
        elif closing:
            return "".join(letters), end + 1
        else:
            raise csv.Error("a quoted cell goes on behind its closing quote")
    raise csv.Error("a quoted cell has no end")
