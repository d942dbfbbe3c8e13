"""A class as Canvas's gradebook CSV.

With an exported gradebook as a template only the columns of students and ours are written: whatever else stands in an
old export would put old marks back. Without one, the columns are ours and Canvas finds students by their SIS ids.
Source: canvas-lms, lib/gradebook_importer.rb (header, delimiter, decimal_comma_to_period, "Points Possible", order of
matching) and Assignment.title_and_id.
"""

from __future__ import annotations

import re

from grader.classroom.book.standing import ClassResult, Standing
from grader.reports import words

from .matching import match, repeated
from .sheets import Export, Sheet, SheetError, is_key, kept_cell, listed, render_sheet, words_cell
from .targets import Target, mark, same_title, targets, undecided

NAMES = ("Student", "FirstName", "LastName")
KEYS = ("ID", "SIS User ID", "SIS Login ID", "Integration ID", "Root Account")
STUDENT_COLUMNS = (*NAMES, *KEYS, "Section")
POINTS = "    Points Possible"
_HAS_ID = re.compile(r".*\s\(\d+\)")
_IGNORED = re.compile(r"(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)")


def render(
    result: ClassResult,
    *,
    template: Sheet | None = None,
    titles: dict[str, str] | None = None,
    missing: str = "blank",
) -> Export:
    """Return the CSV file to import; SheetError when the template is no gradebook of Canvas's."""
    wanted = targets(result, titles)
    if template is None:
        return _fresh(result, wanted, missing)
    return _filled(result, wanted, template, missing, bool(titles))


def _fresh(result: ClassResult, wanted: list[Target], missing: str) -> Export:
    warnings = undecided(result, wanted, missing)
    if unknown := [target.title for target in wanted if not _HAS_ID.fullmatch(target.title)]:
        warnings.append(
            f"Canvas makes a new assignment of each column without an assignment's id: {listed(unknown)}; "
            "give the gradebook that Canvas exports as --template, or name the columns with --columns."
        )
    if ignored := [target.title for target in wanted if _IGNORED.search(target.title)]:
        warnings.append(f"Canvas ignores columns of such names: {listed(ignored)}.")
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(words_cell(t.title) for t in wanted)]
    rows = [[POINTS, "", "", "", "", *(words.number(target.possible) for target in wanted)]]
    refused = []
    for standing in result.standings:
        marks = [_shown(standing, target, missing) for target in wanted]
        if not any(marks):
            continue
        if not is_key(standing.student.id):
            refused.append(standing.student.id)
            continue
        email = standing.student.email
        rows.append([_name(standing), "", standing.student.id, email if is_key(email) else "", "", *marks])
    if refused:
        warnings.append(f"These ids are no keys that a table can hold; enter the marks by hand: {listed(refused)}.")
    if changed := [row[2] for row in rows[1:] if _is_changed(row[2])]:
        warnings.append(
            f"Canvas reads these ids as numbers and drops all but the last point or comma in them: {listed(changed)}; "
            "give the gradebook that Canvas exports as --template, so that they are found by Canvas's own id."
        )
    if any(cell == "" for row in rows[1:] for cell in row[5:]):
        warnings.append("Canvas takes an empty cell for a mark to be removed: look at its preview, or use --template.")
    return Export(render_sheet(Sheet(header, rows)), warnings)


def _shown(standing: Standing, target: Target, missing: str) -> str:
    """Return a mark as Canvas reads it, EX for who is excused; empty where none is written."""
    if len(target.columns) == 1 and target.columns[0].milestone in standing.excused:
        return "" if target.columns[0].milestone in standing.drafts else "EX"
    points = mark(standing, target, missing)
    return "" if points is None else words.number(points)


def _is_changed(key: str) -> bool:
    """Tell whether Canvas reads a key as another: of what looks like a number only the last point or comma is kept."""
    return bool(re.fullmatch(r"-?[0-9.,]+%?", key)) and ("," in key or key.count(".") > 1 or key.endswith("."))


def _name(standing: Standing) -> str:
    """Return the name, which Canvas shows and does not match by; one that it would take for another row is the id."""
    name = standing.student.name.strip()
    return words_cell(standing.student.id if not name or "points possible" in name.casefold() else name)


def _filled(result: ClassResult, wanted: list[Target], template: Sheet, missing: str, named: bool) -> Export:
    warnings = undecided(result, wanted, missing)
    students = _student_columns(template)
    pairs = _pair(wanted, template, students, named)
    warnings += _check_points(pairs, template)
    pairs = [(target, column) for target, column in pairs if not _read_only(template, column)]
    people = Sheet(template.header, [row for row in template.rows if _is_student(row)])
    rows, sentences = match(result.standings, people, KEYS[:4], ("SIS Login ID",), NAMES)
    kept = [*students, *(column for _, column in pairs)]
    written = []
    for number in sorted(rows):
        row, changed = list(people.rows[number]), False
        for target, column in pairs:
            if points := _shown(rows[number], target, missing):
                row[column], changed = points, True
        if changed:
            written.append([_cell(template.header[column], row[column]) for column in kept])
    points_rows = [[row[column] for column in kept] for row in template.rows if "Points Possible" in row[0]]
    sheet = Sheet([template.header[column] for column in kept], points_rows + written, template.delimiter)
    return Export(render_sheet(sheet), warnings + sentences)


def _student_columns(template: Sheet) -> list[int]:
    """Return the columns that say who a row is, as the importer counts them."""
    header = template.header
    one = len(header) > 3 and "Student" in header[0] and "ID" in header[1]
    two = len(header) > 4 and header[:2] == ["LastName", "FirstName"] and "ID" in header[2]
    last = next((number for number, name in enumerate(header) if "Section" in name), None)
    if not (one or two) or last is None or any(name not in STUDENT_COLUMNS for name in header[:last]):
        raise SheetError(
            "The template is no gradebook of Canvas's: its columns have to begin with Student, ID and end with Section."
        )
    return list(range(last + 1))


def _pair(wanted: list[Target], template: Sheet, students: list[int], named: bool) -> list[tuple[Target, int]]:
    pairs = []
    if twice := repeated(template.header):
        raise SheetError(f"The template has columns of the same name: {listed(twice)}.")
    for target in wanted:
        found = [
            number
            for number, title in enumerate(template.header)
            if number not in students and (title == target.title if named else same_title(title, target))
        ]
        if len(found) == 1:
            pairs.append((target, found[0]))
        elif named or len(found) > 1:
            many = "no column" if not found else f"{len(found)} columns"
            raise SheetError(f"The template has {many} for {target.title!r}; say which with --columns.")
    if not pairs:
        ours = listed(target.title for target in wanted)
        raise SheetError(
            f"The template has no column for any of {ours}; name them as there, or say which with --columns."
        )
    return pairs


def _check_points(pairs: list[tuple[Target, int]], template: Sheet) -> list[str]:
    sentences = []
    points = next((row for row in template.rows if "Points Possible" in row[0]), None)
    for target, column in pairs:
        if _read_only(template, column):
            sentences.append(f"{template.header[column]} is read-only in Canvas, so it is left out.")
        elif points is not None and points[column].strip() not in ("", words.number(target.possible)):
            there = points[column].strip()
            # A decimal comma is no other number: "10,00" is 10.
            if not re.fullmatch(r"\d+([.,]\d+)?", there) or float(there.replace(",", ".")) != target.possible:
                sentences.append(
                    f"{template.header[column]} has {there} points in Canvas and {words.number(target.possible)} here; "
                    "marks are written as they are here."
                )
    return sentences


def _read_only(template: Sheet, column: int) -> bool:
    return any("Points Possible" in row[0] and re.search(r"read\s+only", row[column]) for row in template.rows)


def _is_student(row: list[str]) -> bool:
    return "Points Possible" not in row[0] and not all(
        re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell, re.I) for cell in row
    )


def _cell(column: str, text: str) -> str:
    """Return a kept cell; keys stay byte for byte, since Canvas finds a student by them."""
    return text if column in KEYS else kept_cell(" ".join(text.split()) if column in STUDENT_COLUMNS else text)
