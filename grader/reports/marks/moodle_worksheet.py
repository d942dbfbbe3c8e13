"""Moodle's offline grading worksheet of one assignment: what was downloaded goes back with marks and feedback.

Moodle finds a student by the Identifier ("Participant 123"), skips what was graded after the worksheet was downloaded,
and skips marks above the maximum without a word. Headings are in the site's language: others than English are named by
--columns.
Source: moodle, mod/assign/feedback/offline/importgradeslib.php and locallib.php, mod/assign/gradingtable.php.
"""

from __future__ import annotations

import html
import re

from grader.classroom.book.standing import ClassResult, Column, Standing
from grader.reports import words

from .feedback import feedback
from .matching import match, repeated
from .sheets import Export, Sheet, SheetError, kept_cell, listed, render_sheet
from .targets import Target, default_title, mark, undecided

HEADINGS = {
    "identifier": "Identifier",
    "grade": "Grade",
    "modified": "Last modified (grade)",
    "maximum": "Maximum grade",
    "feedback": "Feedback comments",
    "email": "Email address",
    "name": "Full name",
    "id": "ID number",
    "username": "Username",
}
REQUIRED = ("identifier", "grade", "modified")
_EXPORTED = re.compile(r"_(\d+)_assignsubmission_")


def render(
    result: ClassResult,
    template: Sheet,
    milestones: list[str],
    *,
    titles: dict[str, str] | None = None,
    missing: str = "blank",
) -> Export:
    """Return the worksheet with marks and feedback; SheetError when it is no worksheet.

    `milestones` are those that the assignment is about; several are added up. `titles` says what the headings of
    HEADINGS are called here.
    """
    columns = [column for column in result.columns if column.milestone in milestones]
    target = Target(tuple(columns), listed(default_title(column) for column in columns))
    places = _places(template, titles or {})
    rows, sentences = _match(result, template, places, milestones)
    warnings = undecided(result, [target], missing) + sentences
    high = []
    for number, standing in rows.items():
        row, points = template.rows[number], mark(standing, target, missing)
        if points is None:
            continue
        row[places["grade"]] = words.number(points)
        if "feedback" in places:
            row[places["feedback"]] = _comment(standing, columns)
        if "maximum" in places and _above(points, row[places["maximum"]]):
            high.append(standing.student.id)
    if high:
        warnings.append(f"Moodle skips marks above the assignment's maximum without a word: {listed(high)}.")
    if "feedback" not in places:
        warnings.append("The worksheet has no column for feedback comments, so only marks are filled in.")
    ours = {places[name] for name in (*REQUIRED, "feedback", "email", "id", "username") if name in places}
    cells = [[c if at in ours else kept_cell(c) for at, c in enumerate(row)] for row in template.rows]
    return Export(render_sheet(Sheet(template.header, cells, template.delimiter, template.mark)), warnings)


def _places(template: Sheet, titles: dict[str, str]) -> dict[str, int]:
    if unknown := [name for name in titles if name not in HEADINGS]:
        raise SheetError(f"--columns names {listed(unknown)}; of a worksheet it may name {listed(HEADINGS, 20)}.")
    if twice := repeated(template.header):
        raise SheetError(f"The worksheet has columns of the same name: {listed(twice)}.")
    lower = {name.casefold(): place for place, name in enumerate(template.header)}
    places = {}
    for name, heading in (HEADINGS | titles).items():
        if heading.casefold() in lower:
            places[name] = lower[heading.casefold()]
        elif name in titles:
            raise SheetError(f"The worksheet has no column {heading!r}; it has {listed(template.header, 20)}.")
    if absent := [HEADINGS[name] for name in REQUIRED if name not in places]:
        raise SheetError(
            f"The worksheet has no column {listed(absent)}; where Moodle speaks another language, --columns says how "
            "they are called."
        )
    return places


def _match(
    result: ClassResult, template: Sheet, places: dict[str, int], milestones: list[str]
) -> tuple[dict[int, Standing], list[str]]:
    """Match by the participant's number in the name of an exported submission, then by id, e-mail address and name."""
    numbers = {re.sub(r"^\D*", "", row[places["identifier"]]): at for at, row in enumerate(template.rows)}
    exported, others = {}, []
    for standing in result.standings:
        origins = [standing.origins[name] for name in milestones if name in standing.origins]
        found = _EXPORTED.search(origins[0] if origins else standing.origin)
        if found and found[1] in numbers:
            exported[numbers[found[1]]] = standing
        else:
            others.append(standing)
    heading = {name: template.header[place] for name, place in places.items()}
    columns = [
        [heading[name] for name in names if name in heading] for names in (("id", "username"), ("email",), ("name",))
    ]
    rows, sentences = match(others, template, *columns)
    return rows | exported, sentences


def _comment(standing: Standing, columns: list[Column]) -> str:
    """Return the feedback as Moodle keeps it, which is HTML."""
    parts = []
    for column in columns:
        head = f"{default_title(column)}: " if len(columns) > 1 else ""
        parts.append(html.escape(head + feedback(standing, column.milestone), quote=False))
    return "<br>".join(parts)


def _above(points: float, maximum: str) -> bool:
    try:
        return points > float(maximum.replace(",", "."))
    except ValueError:
        return False
