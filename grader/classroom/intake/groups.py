"""Groups out of a CSV file: whose work a submission is that bears a group's name."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from grader import files, tables
from grader.safe_text import one_line

from .roster import FILE_LIMIT, Ambiguous, Claim, Keys, Roster, RosterError

COLUMNS = ("group", "student")
HANDED_IN = "Handed in by the group"  # how the note about it begins, on each member's work


def of_a_group(notes: Iterable[str]) -> bool:
    """Tell whether notes say that a group has handed something in."""
    return any(note.startswith(HANDED_IN) for note in notes)


def with_groups(roster: Roster, path: Path) -> Roster:
    """Return a roster whose students are in the groups of a file as well: columns group and student, a row for each.

    A student is named by id, address, login or name. Raises RosterError for a file that cannot be used, and for a row
    whose student is not on the roster.
    """
    shown = one_line(str(path), 200)
    try:
        rows, _ = tables.rows(tables.decoded(files.read(path, FILE_LIMIT)))
    except FileNotFoundError:
        raise RosterError(f"There are no groups {shown}.") from None
    except tables.NoTable as error:
        raise RosterError(f"The file of groups {shown} {error}.") from None
    except csv.Error as error:
        raise RosterError(f"The file of groups {shown} is no CSV file: {one_line(str(error), 80)}.") from error
    except (OSError, ValueError) as error:
        raise RosterError(f"The file of groups {shown} cannot be read: {files.reason(error)}.") from error
    header = [cell.strip().casefold() for cell in rows[0].cells] if rows else []
    if any(header.count(name) != 1 for name in COLUMNS):
        raise RosterError(f"The file of groups {shown} needs a first line that names its columns: group,student.")
    keys = dict(roster.keys)
    for row in rows[1:]:
        cells = dict(zip(header, (cell.strip() for cell in row.cells), strict=False))
        group, name = (cells.get(column, "") for column in COLUMNS)
        if not (group or name):
            continue
        try:
            student = roster.find(Claim(name)) if group else None
        except Ambiguous as error:
            raise RosterError(f"The file of groups {shown}, line {row.line}: {error}") from None
        if student is None:
            raise RosterError(
                f"The file of groups {shown} has nobody of the roster in line {row.line}: {one_line(name, 80)!r}."
            )
        known = keys.get(student.id, Keys())
        if group not in known.groups:
            keys[student.id] = replace(known, groups=(*known.groups, group))
    return replace(roster, keys=keys)
