"""Finding a student in an LMS's table: by id, then e-mail address, then name, and never by a guess."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

from grader.classroom.book.standing import Standing, Student

from .sheets import Sheet, listed

Keys = Sequence[str]


def match(
    standings: list[Standing], sheet: Sheet, ids: Keys, emails: Keys, names: Keys
) -> tuple[dict[int, Standing], list[str]]:
    """Return row → standing, and a sentence for those that stand in no row or could be in several.

    `ids`, `emails` and `names` are the columns to look in; of two columns of names the first is the given name.
    """
    rows: dict[int, Standing] = {}
    lost: list[str] = []
    unclear: list[str] = []
    finders = _finders(sheet, ids, emails, names)
    for standing in standings:
        found: set[int] = set()
        for finder in finders:
            found = finder(standing.student)
            if found:
                break
        if not found:
            lost.append(standing.student.id)
        elif len(found) > 1:
            unclear.append(standing.student.id)
        elif (row := found.pop()) in rows:
            unclear += [standing.student.id, rows[row].student.id]
        else:
            rows[row] = standing
    clear = {row: standing for row, standing in rows.items() if standing.student.id not in unclear}
    sentences = []
    if lost:
        sentences.append(f"Not in the table, so left out: {listed(lost)}.")
    if unclear:
        sentences.append(f"Several rows or several students fit, so left out: {listed(sorted(set(unclear)))}.")
    return clear, sentences


def _finders(sheet: Sheet, ids: Keys, emails: Keys, names: Keys) -> list[Callable[[Student], set[int]]]:
    by_id, by_email = _index(sheet, ids), _index(sheet, [*emails, *ids])
    by_name: dict[str, set[int]] = {}
    columns = [sheet.header.index(name) for name in names if name in sheet.header]
    for number, row in enumerate(sheet.rows):
        if columns:
            by_name.setdefault(_name(" ".join(row[column] for column in columns)), set()).add(number)
    return [
        lambda student: by_id.get(student.id.strip(), set()),
        lambda student: by_email.get(student.email.strip().casefold(), set()) if student.email.strip() else set(),
        lambda student: by_name.get(_name(student.name), set()) if student.name.strip() else set(),
    ]


def _index(sheet: Sheet, columns: Keys) -> dict[str, set[int]]:
    """Return where each value stands: in all columns, so that two columns that disagree are seen."""
    index: dict[str, set[int]] = {}
    for column in [sheet.header.index(name) for name in columns if name in sheet.header]:
        for number, row in enumerate(sheet.rows):
            if row[column].strip():
                for spelling in {row[column].strip(), row[column].strip().casefold()}:
                    index.setdefault(spelling, set()).add(number)
    return index


def _name(text: str) -> str:
    """Return a name for comparing: "Last, First" turned round, letters in one form and case, single spaces."""
    text = unicodedata.normalize("NFC", text).casefold()
    last, comma, first = text.partition(",")
    return " ".join((f"{first} {last}" if comma else text).split())


def repeated(names: list[str]) -> list[str]:
    """Return the names that stand more than once."""
    return [name for name, count in Counter(names).items() if count > 1 and name]
