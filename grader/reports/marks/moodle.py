"""A class as a CSV file for Moodle's gradebook, where whoever imports it says which column is which.

Moodle's import is unforgiving, and the file is made so that it can't go wrong quietly: a row without a key would be
given to the student of the row before, so there are none; an unknown key ends the whole import; "-" is Moodle's own
word for "no mark", where an empty cell would be a mark in a new column. To PHP the text "0" is empty as well.
Source: moodle, grade/import/csv/classes/load_data.php, lib/csvlib.class.php.
"""

from __future__ import annotations

from grader.classroom.book.standing import ClassResult
from grader.reports import words

from .sheets import Export, Sheet, is_key, listed, render_sheet, words_cell
from .targets import mark, targets, undecided

HIGHEST = 100  # unless the site allows unlimited grades


def render(result: ClassResult, *, titles: dict[str, str] | None = None, missing: str = "blank") -> Export:
    """Return the CSV file to import."""
    wanted = targets(result, titles)
    warnings = undecided(result, wanted, missing)
    graded = [s for s in result.standings if any(mark(s, target, missing) is not None for target in wanted)]
    refused = [standing.student.id for standing in graded if not _is_key(standing.student.id)]
    graded = [standing for standing in graded if _is_key(standing.student.id)]
    with_email = [standing for standing in graded if is_key(standing.student.email)]
    by_email = len(with_email) == len(graded)
    header = [
        "ID number",
        *(["Email address"] if by_email else []),
        "Full name",
        *(words_cell(t.title) for t in wanted),
    ]
    rows = []
    for standing in graded:
        marks = [mark(standing, target, missing) for target in wanted]
        rows.append(
            [
                standing.student.id,
                *([standing.student.email] if by_email else []),
                words_cell(standing.student.name),
                *("-" if points is None else words.number(points) for points in marks),
            ]
        )
    if refused:
        warnings.append(f"These ids are no keys that a table can hold; enter the marks by hand: {listed(refused)}.")
    if not by_email:
        without = [s.student.id for s in graded if s not in with_email]
        warnings.append(f"No column of e-mail addresses, since these have none: {listed(without)}; map by ID number.")
    if high := [t.title for t in wanted if any((mark(s, t, missing) or 0) > HIGHEST for s in graded)]:
        warnings.append(f"Moodle ends an import at a mark above {HIGHEST} unless the site allows it: {listed(high)}.")
    if any("-" in row for row in rows):
        warnings.append("Where a cell is '-', Moodle removes the mark that stands there.")
    return Export(render_sheet(Sheet(header, rows)), warnings)


def _is_key(text: str) -> bool:
    return is_key(text) and text != "0"
