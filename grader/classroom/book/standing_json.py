"""A class's standing as a JSON file, and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from grader import files, record, schema

from .standing import ClassResult, Column, Standing, Student

SCHEMA = "scratchwork-class/1"


LARGEST = 2 * 2**30  # bytes: a thousand students with all that they printed
_TEXT: dict[str, Any] = {"type": "string", "maxLength": 2**20}
_NUMBER: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": 10**12}


def _all_of(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "maxItems": 10**6}


_STUDENT = _all_of(id=_TEXT, name=_TEXT, email=_TEXT)
_STANDING = _all_of(
    student=_STUDENT, total=_NUMBER, origin=_TEXT, handed_in=_TEXT, problem=_TEXT, notes=_list_of(_TEXT),
    penalties={"type": "object"}, milestones={"type": "array"},  # these are read one by one
)  # fmt: skip
CLASS = _all_of(
    schema={"const": SCHEMA}, course=_TEXT, grader=_TEXT, isolation=_TEXT, official={"type": "boolean"},
    notes=_list_of(_TEXT), possible=_NUMBER, standings=_list_of(_STANDING),
    columns=_list_of(_all_of(milestone=_TEXT, title=_TEXT, possible=_NUMBER, due=_TEXT)),
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
        "columns": [dataclasses.asdict(column) for column in result.columns],
        "standings": [_standing(result, standing) for standing in result.standings],
    }


def from_json(plain: Any) -> ClassResult:
    """Read a standing back; StandingError if it is none, or of another version."""
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise StandingError(f"it is no class's standing of schema {SCHEMA}")
    try:
        schema.check(plain, CLASS)
        return ClassResult(
            course=plain["course"],
            columns=[Column(**column) for column in plain["columns"]],
            standings=[_read_standing(standing) for standing in plain["standings"]],
            grader=plain["grader"],
            isolation=plain["isolation"],
            official=plain["official"],
            notes=list(plain["notes"]),
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


def _standing(result: ClassResult, standing: Standing) -> dict[str, Any]:
    kept = record.Record("", "", "", "", "", milestones=list(standing.milestones.values()))
    return {
        "student": dataclasses.asdict(standing.student),
        "total": result.total(standing),
        "origin": standing.origin,
        "handed_in": standing.handed_in,
        "problem": standing.problem,
        "notes": list(standing.notes),
        "penalties": dict(standing.penalties),
        "milestones": record.to_json(kept)["milestones"],
    }


def _read_standing(plain: dict[str, Any]) -> Standing:
    milestones = [record.milestone_from_json(milestone) for milestone in plain["milestones"]]
    for name, lost in plain["penalties"].items():
        schema.check(lost, _NUMBER, f"the penalty for {schema.shown(name)}")
    kept = {name: plain[name] for name in ("origin", "handed_in", "problem", "notes", "penalties")}
    return Standing(Student(**plain["student"]), {milestone.id: milestone for milestone in milestones}, **kept)
