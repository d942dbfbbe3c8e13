"""Whether JSON data fits a schema, and where it doesn't, for those keywords of JSON Schema that our schemas use.

A whole library for it would be four more packages on every student's machine; the tests compare this with one.
"""

from __future__ import annotations

import contextlib
import functools
import json
import re
from pathlib import Path
from typing import Any

RECORD = Path(__file__).with_name("record.schema.json")
TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}
_HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair, which no UTF-8 file and no database can hold
SAYS_NOTHING = {"$schema", "$id", "$defs", "title", "description"}
KNOWN = {"type", "enum", "const", "required", "properties", "additionalProperties", "items", "$ref"}
KNOWN |= {"minimum", "maximum", "maxLength", "maxItems", "pattern"}


class SchemaError(ValueError):
    """Data that does not fit its schema; the text says where and why."""


@functools.cache
def load(path: Path) -> dict[str, Any]:
    """Read a schema."""
    return json.loads(path.read_text(encoding="utf-8"))


def check(value: Any, schema: dict[str, Any], place: str = "", root: dict[str, Any] | None = None) -> None:
    """Raise SchemaError, naming the place, unless `value` (plain JSON data) fits `schema`."""
    root = root or schema
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if unknown := set(schema) - KNOWN - SAYS_NOTHING:
        raise NotImplementedError(f"the schema's keyword {unknown.pop()}")
    where = place or "it"
    if "type" in schema and not _is_of(value, schema["type"]):
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        raise SchemaError(f"{where} is {shown(value)}, not of type {' or '.join(kinds)}")
    if "const" in schema and value != schema["const"]:
        raise SchemaError(f"{where} is {shown(value)}, not {schema['const']!r}")
    if "enum" in schema and not (isinstance(value, str) and value in schema["enum"]):
        raise SchemaError(f"{where} is {shown(value)}, not one of {', '.join(schema['enum'])}")
    if "minimum" in schema and not schema["minimum"] <= value <= schema["maximum"]:
        raise SchemaError(f"{where} is {shown(value)}, not a number from {schema['minimum']} to {schema['maximum']:,}")
    if "maxLength" in schema and isinstance(value, str) and len(value) > schema["maxLength"]:
        raise SchemaError(f"{where} has {len(value):,} characters, and at most {schema['maxLength']:,} are allowed")
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        raise SchemaError(f"{where} has {len(value):,} entries, and at most {schema['maxItems']:,} are allowed")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise SchemaError(f"{where} is {shown(value)}, which does not look like {schema['pattern']}")
    if isinstance(value, dict):
        _check_object(value, schema, place, root)
    elif isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            check(item, schema["items"], f"{place}[{number}]", root)


def _check_object(value: dict[str, Any], schema: dict[str, Any], place: str, root: dict[str, Any]) -> None:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise SchemaError(f"{place or 'it'} has no {name}")
    for name, part in value.items():
        if name in known:
            check(part, known[name], f"{place}.{name}" if place else name, root)
        elif schema.get("additionalProperties") is False:
            raise SchemaError(f"{place or 'it'} has {shown(name)}, which is unknown")


def _is_of(value: Any, kinds: str | list[str]) -> bool:
    if isinstance(value, bool):  # to Python a number as well
        return "boolean" in kinds
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    return any(isinstance(value, TYPES[kind]) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def shown(value: Any) -> str:
    """Return a value as a sentence quotes it: short, on one line, whatever it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and abs(value) >= 10**40:  # Python itself may refuse to print it
        return "a number of more than 40 digits"
    text = repr(value[:100] if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def fitted(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """Return plain data made to fit: text cut, numbers moved into their range, what cannot fit left out of its list.

    Raises SchemaError for what is wrong in another way: data that is not of its type, or lacks a field.
    """
    root = root or schema
    value = _cut(value, schema, root)
    check(value, schema, root=root)
    return value


def _cut(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if isinstance(value, str):
        return _HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", value)[: schema.get("maxLength", len(value))]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return {name: _cut(part, known[name], root) if name in known else part for name, part in value.items()}
    if isinstance(value, list):
        kept = [] if "items" in schema else value
        for item in value if "items" in schema else ():
            with contextlib.suppress(SchemaError):
                kept.append(fitted(item, schema["items"], root))
        return kept[: schema.get("maxItems", len(kept))]
    if "minimum" in schema and isinstance(value, int | float) and not isinstance(value, bool):
        return min(max(schema["minimum"], value), schema["maximum"])  # of what is no number at all, the minimum
    return value
