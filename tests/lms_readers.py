"""Readers that follow the rules of the importers which our exports are for, as their source and documentation say."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Imported:
    """What an importer made of a file."""

    marks: dict[str, dict[str, str]] = field(default_factory=dict)  # student key → column → cell
    points: dict[str, str] = field(default_factory=dict)
    new_assignments: list[str] = field(default_factory=list)
    unknown_students: list[str] = field(default_factory=list)


def php(text: str) -> list[list[str]]:
    r"""Read CSV as PHP's fgetcsv and str_getcsv do: behind a backslash a quote neither ends a cell nor stands for one.

    Source: php-src, ext/standard/file.c, php_fgetcsv; the default of its parameter `escape` is a backslash.
    """
    rows, cells, at = [], [], 0
    while at < len(text):
        cell, quoted = [], text[at] == '"'
        if quoted:
            at += 1
            while at < len(text):
                if text[at] == "\\":
                    cell.append(text[at : at + 2])
                    at += 2
                elif text[at : at + 2] == '""':
                    cell.append('"')
                    at += 2
                elif text[at] == '"':
                    at += 1
                    break
                else:
                    cell.append(text[at])
                    at += 1
        end = next((here for here in range(at, len(text)) if text[here] in ",\n"), len(text))
        cells.append("".join(cell) + text[at:end])
        at = end + 1
        if end == len(text) or text[end] == "\n":
            rows.append(cells)
            cells = []
    return rows


def canvas_cell(text: str) -> str:
    """Return a cell as Canvas reads it: all that looks like a number goes through a converter, ids as well.

    Source: canvas-lms, lib/gradebook_importer.rb, CSV::Converters[:decimal_comma_to_period].
    """
    if not re.fullmatch(r"-?[0-9.,]+%?", text):
        return text
    *whole, last = re.split(r"[,.]", text.rstrip(".,"))
    return f"{''.join(whole)}.{last}" if whole else last


def canvas(text: str, assignments: dict[int, str], people: dict[str, str]) -> Imported:
    """Read a file as Canvas does; `people` maps every ID, SIS user id and login to a student."""
    first = [len(next(csv.reader([line], delimiter=";"))) for line in text.split("\n")[:3] if line]
    commas = [len(next(csv.reader([line]))) for line in text.split("\n")[:3] if line]
    semicolon = first[0] if len(set(first)) == 1 else 0
    comma = commas[0] if len(set(commas)) == 1 else 0
    rows = list(csv.reader(io.StringIO(text), delimiter=";" if semicolon > comma else ","))
    rows = [[canvas_cell(cell) for cell in row] for row in rows if row and not re.fullmatch(r"[;, ]+", ",".join(row))]
    header = rows[0]
    if not (len(header) > 3 and "Student" in header[0] and "ID" in header[1]):
        raise AssertionError("invalid header row")
    width = 3
    if re.search(r"SIS\s+Login\s+ID", header[2]):
        width = 4
    elif re.search(r"SIS\s+User\s+ID", header[2]) and re.search(r"SIS\s+Login\s+ID", header[3]):
        width = 5 + bool(re.search(r"Integration\s+ID", header[4]))
    assert "Section" in header[width - 1], "invalid header row"
    imported, titles = Imported(), {}
    for place, name in enumerate(header[width:], start=width):
        if re.search(r"(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)", name):
            continue
        found = re.fullmatch(r"(.*)\s\((\d+)\)", name)
        known = (found and int(found[2]) in assignments) or name in assignments.values()
        if not known:
            imported.new_assignments.append(name)
        titles[place] = name
    for row in rows[1:]:
        if "Points Possible" in row[0]:
            imported.points |= {name: row[place] for place, name in titles.items()}
            continue
        if all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell, re.I) for cell in row):
            continue
        who = next((people[cell] for cell in row[1 : width - 1] if cell in people), people.get(row[0]))
        if who is None:
            imported.unknown_students.append(row[0])
            continue
        imported.marks[who] = {name: row[place].strip() for place, name in titles.items()}
    return imported


def moodle(text: str, key: str, people: dict[str, str]) -> dict[str, dict[str, float | None]]:
    """Read a file as Moodle's gradebook does, mapped by one column; an empty key keeps the student before."""
    rows = php(text)
    header = [name.strip() for name in rows[0]]
    who, marks = "", {}
    for row in rows[1:]:
        if len(row) <= 1:
            continue
        value = row[header.index(key)].strip()
        if value not in ("", "0"):  # which is empty() to PHP
            if value not in people:
                raise AssertionError(f"the import ends: no user {value!r}")
            who = people[value]
        found = {}
        for name, cell in zip(header, row, strict=True):
            if re.match(r"m\d\d ", name):
                found[name] = None if cell.strip() in ("", "-") else float(cell)
                assert (found[name] or 0) <= 100, "the import ends: grade value too big"
        marks[who] = found
    return marks


def worksheet(text: str, people: dict[int, str], maximum: float) -> dict[str, tuple[float, str]]:
    """Read a worksheet as Moodle's assignment does; marks it skips are not there."""
    rows = php(text.removeprefix("\ufeff"))
    header = rows[0]
    places = [header.index(name) for name in ("Identifier", "Grade", "Last modified (grade)", "Feedback comments")]
    taken = {}
    for row in rows[1:]:
        number = int(row[places[0]][len("Participant ") :])
        grade = row[places[1]]
        if number in people and grade not in ("", "-") and 0 <= float(grade) <= maximum:
            taken[people[number]] = (float(grade), row[places[3]])
    return taken


def classroom(payload: str) -> dict[str, Any]:
    """Read a payload as GitHub Classroom's reporter does: what notice and table say, and what the job does."""
    results = json.loads(base64.b64decode(payload.strip(), validate=True))
    total = sum(test["score"] for test in results["tests"]) if results.get("max_score") else 0
    return {
        "results": results,
        "notice": {"totalPoints": total, "maxPoints": results.get("max_score") or 0},
        "table": sum(test["score"] for test in results["tests"]),
        "failed": results["status"] in ("fail", "error"),
    }


def workflow_commands(text: str) -> list[dict[str, str]]:
    """Read a log as GitHub's runner does: every command in it, with its properties and message decoded."""
    found = []
    for line in re.split(r"\r\n|\r|\n", text):
        match = re.match(r"\s*::([a-z-]+)(?: ([^:]*))?::(.*)", line)
        if match is None:
            assert "::" not in line
            continue
        properties = dict(part.split("=", 1) for part in (match[2] or "").split(",") if part)
        decoded = {name: _decoded(_decoded_property(value)) for name, value in properties.items()}
        found.append({"command": match[1], "message": _decoded(match[3]), **decoded})
    return found


# What an element may hold by the schema of Jenkins's xUnit plugin (its types/model/xsd/junit-10.xsd, and pytest's
# testing/example_scripts/junit-10.xsd) and by the common format of github.com/testmoapp/junitxml.
JUNIT = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "file", "time", "tests", "failures", "errors", "skipped"}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "system-out"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}


def junit(text: str) -> dict[str, str]:
    """Read JUnit XML as a strict CI system does; return each case's result: passed, failure or error."""
    root = ET.fromstring(text.encode("utf-8"))
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = JUNIT[element.tag]
        assert set(element.keys()) <= attributes, f"<{element.tag}> has {sorted(set(element.keys()) - attributes)}"
        assert {child.tag for child in element} <= children, f"<{element.tag}> holds something that is not its own"
    found = {}
    for suite in root:
        cases = suite.findall("testcase")
        results = [next((part.tag for part in case if part.tag != "system-out"), "passed") for case in cases]
        counted = [int(suite.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped")]
        assert counted == [len(cases), results.count("failure"), results.count("error"), 0]
        for case, result in zip(cases, results, strict=True):
            assert re.fullmatch(r"\d+\.\d{3}", case.get("time", ""))
            # mikepenz/action-junit-report, src/testParser.ts: what stands behind the last point is taken for a file.
            assert "." not in case.get("classname", "")
            for fault in [*case.iter("failure"), *case.iter("error")]:
                # dorny/test-reporter prints the type before the message; GitLab's importer shows the text alone.
                assert fault.text and not fault.get("message", "").startswith(f"{fault.get('type')}:")
            name = f"{case.get('classname')} {case.get('name')}"
            assert name not in found, f"two cases are called {name}"
            found[name] = result
    return found


def _decoded(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def _decoded_property(text: str) -> str:
    return text.replace("%3A", ":").replace("%2C", ",")


def spreadsheet_formulas(text: str) -> list[str]:
    """Return the cells that a spreadsheet would run: those that begin with = + - @, and are no number or dash."""
    found = []
    for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))):
        for cell in row:
            bare = cell.lstrip(" \t\r\n\"'") if not cell.startswith("'") else ""
            if bare[:1] in tuple("=+-@") and bare != "-" and not re.fullmatch(r"[-+]?[\d.]+", bare):
                found.append(cell)
    return found


def moodle_feedback(path: str) -> tuple[int, str, str] | None:
    """Return whose a file of an archive of feedback is, by which plugin, and what it is called: Moodle's own steps.

    Source: moodle, mod/assign/feedback/file/importziplib.php, is_valid_filename_for_import.
    """
    parts = path.split("/")
    while parts:
        info = parts.pop(0).split("_", 4)
        if len(info) < 4 or not info[1].isdigit():
            continue
        return int(info[1]), f"{info[2]}_{info[3]}", "/".join([*info[4:], *parts])
    return None


def canvas_comment(path: str) -> list[int]:
    """Return the numbers by which Canvas finds the submission that a file is a comment on: the user's, an attachment's.

    Source: canvas-lms, app/models/abstract_assignment.rb, infer_comment_context_from_filename.
    """
    name = path.rpartition("/")[2]
    numbers = [int(part) for part in name.split("_") if part.isdigit()][:2]
    return [] if name.startswith("._") or name.split("_")[-1].startswith("link") else numbers
