"""A class's standing as a JSON file, and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from grader import files, record, schema
from grader.lateness import Lateness
from grader.rounding import WAYS, Rounding

from .standing import Adjustment, ClassResult, Column, Standing, Student

SCHEMA = "scratchwork-class/1"


PLAIN = ("origin", "handed_in", "problem", "notes", "penalties")  # of a standing
LARGEST = 2 * 2**30  # bytes: a thousand students with all that they printed
_TEXT: dict[str, Any] = {"type": "string", "maxLength": 2**20}
_NUMBER: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 10**12}


def _all_of(optional: dict[str, Any] | None = None, **properties: dict[str, Any]) -> dict[str, Any]:
    known = properties | (optional or {})
    return {"type": "object", "required": [*properties], "properties": known, "additionalProperties": False}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": 10**6}


_TEXTS = _list_of(_TEXT)
_STUDENT = _all_of(id=_TEXT, name=_TEXT, email=_TEXT)
_ADJUSTMENT = _all_of(
    {"out_of": _NUMBER},
    milestone=_TEXT, task=_TEXT, reason=_TEXT, author=_TEXT, made=_TEXT,
    value={"type": "string", "pattern": r"^[+-]?[0-9]{1,7}(\.[0-9]{1,6})?$"},
)  # fmt: skip
_LATENESS = _all_of(days=_NUMBER, free=_NUMBER, lost=_NUMBER)
_ROUNDING = _all_of(step={"type": "number", "minimum": 0.0001, "maximum": 1000}, way={"enum": [*WAYS]})
_TABLE: dict[str, Any] = {"type": "object"}  # whose values are read one by one
# Not in the JSON where they are empty, nor in what older versions wrote.
_OF_STANDING = {
    "lateness": _TABLE, "adjustments": _list_of(_ADJUSTMENT), "excused": _TABLE, "absent": _TABLE, "waiting": _TABLE,
    "zeros": _TEXTS, "pending": _TEXTS, "drafts": _TEXTS, "doubts": _TABLE,
    "answers": _TABLE, "times": _TABLE, "origins": _TABLE,
    "guest": {"type": "boolean"},
}  # fmt: skip
_OF_COLUMN = {"weight": _NUMBER, "counts": {"type": "boolean"}}
_STANDING = _all_of(
    _OF_STANDING,
    student=_STUDENT, total=_NUMBER, origin=_TEXT, handed_in=_TEXT, problem=_TEXT, notes=_TEXTS, penalties=_TABLE,
    milestones={"type": "array"},  # these are read one by one
)  # fmt: skip
CLASS = _all_of(
    {"rounding": _ROUNDING},
    schema={"const": SCHEMA}, course=_TEXT, grader=_TEXT, isolation=_TEXT, official={"type": "boolean"},
    notes=_TEXTS, possible=_NUMBER, standings=_list_of(_STANDING),
    columns=_list_of(_all_of(_OF_COLUMN, milestone=_TEXT, title=_TEXT, possible=_NUMBER, due=_TEXT)),
)  # fmt: skip


class StandingError(Exception):
    """A file that holds no class's standing; the text is one sentence."""


def to_json(result: ClassResult) -> dict[str, Any]:
    """Return the standing as plain JSON data, sums included."""
    return {
        "schema": SCHEMA,
        "course": result.course,
        "grader": result.grader,
        "isolation": result.isolation,
        "official": result.official,
        "notes": list(result.notes),
        "possible": result.possible,
        "columns": [_column(column) for column in result.columns],
        "standings": [_standing(result, standing) for standing in result.standings],
        **({} if result.rounding == Rounding() else {"rounding": dataclasses.asdict(result.rounding)}),
    }


def from_json(plain: Any) -> ClassResult:
    """Read a standing back; StandingError if it is none, or of another version."""
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise StandingError(f"it is no class's standing of schema {SCHEMA}")
    try:
        schema.check(plain, CLASS)
        rounding = Rounding(**plain["rounding"]) if "rounding" in plain else Rounding()
        return ClassResult(
            course=plain["course"],
            columns=[Column(**column) for column in plain["columns"]],
            standings=[_read_standing(standing, rounding) for standing in plain["standings"]],
            grader=plain["grader"],
            isolation=plain["isolation"],
            official=plain["official"],
            notes=list(plain["notes"]),
            rounding=rounding,
        )
    except ValueError as error:
        raise StandingError(f"it is no class's standing: {error}") from error


def read(path: str | Path) -> ClassResult:
    """Read a standing from a file; StandingError if the file can't be read or holds none."""
    try:
        return from_json(files.read_json(path, LARGEST))
    except OSError as error:
        raise StandingError(f"{path} can't be read: {files.reason(error)}.") from error
    except ValueError as error:
        raise StandingError(f"{path} can't be taken: it is neither JSON nor a gradebook ({error}).") from error
    except StandingError as error:
        raise StandingError(f"{path} can't be taken: {error}.") from error


def render(result: ClassResult) -> str:
    """Return the standing as JSON text in ASCII, so that nothing in it acts on a screen."""
    return json.dumps(to_json(result), ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _column(column: Column) -> dict[str, Any]:
    plain = dataclasses.asdict(column)
    if column.weight is None:
        del plain["weight"]
    if column.counts:
        del plain["counts"]
    return plain


def _standing(result: ClassResult, standing: Standing) -> dict[str, Any]:
    kept = record.Record("", "", "", "", "", milestones=list(standing.milestones.values()))
    whole = dataclasses.asdict(dataclasses.replace(standing, milestones={}))
    return {
        "student": whole["student"],
        "total": result.total(standing),
        **{name: whole[name] for name in PLAIN},
        **{name: whole[name] for name in _OF_STANDING if whole[name]},
        "milestones": record.to_json(kept)["milestones"],
    }


def _read_standing(plain: dict[str, Any], rounding: Rounding) -> Standing:
    milestones = [record.milestone_from_json(milestone) for milestone in plain["milestones"]]
    for name, lost in plain["penalties"].items():
        schema.check(lost, _NUMBER, f"the penalty for {schema.shown(name)}")
    for name, late in plain.get("lateness", {}).items():
        schema.check(late, _LATENESS, f"the lateness of {schema.shown(name)}")
    for table in ("excused", "absent", "waiting", "doubts", "answers", "times", "origins"):
        for name, reason in plain.get(table, {}).items():
            schema.check(reason, _TEXT, f"what is said of {schema.shown(name)}")
    kept = {name: plain[name] for name in (*PLAIN, *_OF_STANDING) if name in plain}
    kept["adjustments"] = [Adjustment(**each) for each in plain.get("adjustments", [])]
    kept["lateness"] = {name: Lateness(**late) for name, late in plain.get("lateness", {}).items()}
    student = Student(**plain["student"])
    return Standing(student, {milestone.id: milestone for milestone in milestones}, rounding=rounding, **kept)
