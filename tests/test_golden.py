"""Whole submissions and the records they must give, compared exactly but for times, hashes and the last digits.

Each folder of tests/golden/ is a case: case.toml says what it is about, which milestones are graded, on top of which
folder its files are laid, and which limits differ; record.json leaves out what is empty. SCRATCHWORK_UPDATE_GOLDEN=1
writes the records anew.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import support

from grader import record
from grader.judge.grading import grade
from grader.judge.planned import Options
from grader.submission import collect

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/case.toml"))
UPDATE = os.environ.get("SCRATCHWORK_UPDATE_GOLDEN") == "1"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def case(name):
    """Return what case.toml says."""
    return tomllib.loads((GOLDEN / name / "case.toml").read_text(encoding="utf-8"))


def graded(name, folder):
    """Grade a case in a folder of its own and return its record."""
    told = case(name)
    shutil.copytree(GOLDEN / name, folder)
    if "base" in told:
        for milestone in told["milestones"]:
            shutil.copy(support.REPOSITORY / told["base"] / f"{milestone}.py", folder)
    limited = [
        dataclasses.replace(milestone, limits=milestone.limits.changed(**told.get("limits", {})))
        for milestone in support.COURSE.milestones
    ]
    course = dataclasses.replace(support.COURSE, milestones=tuple(limited))
    submission = collect(folder, course)
    submission.folder = name
    return grade(Options(told["milestones"]), course, submission, support.sandbox(), support.weights())


def plain(result):
    """Return a record as JSON data without what is empty, and without what differs from run to run."""
    data = record.to_json(result)
    for name in ("grader", "environment", "isolation", "seconds"):
        del data[name]
    for milestone in data["milestones"]:
        del milestone["sources"]
        for task in milestone["tasks"]:
            task["checks"] = [shortened(check) for check in task["checks"]]
    return data


def shortened(check):
    """Return what is worth keeping of a check's data."""
    kept = {name: value for name, value in check.items() if name != "seconds" and value not in ("", None, [])}
    if "message" in kept:
        # In a namespace of its own the worker is process 1, whose abort() ends in a segmentation fault.
        kept["message"] = kept["message"].replace("SIGABRT", "SIGSEGV")
    return kept


def written(data, indent=""):
    """Return a record, or a part of one, as JSON with a line for each check."""
    for name in ("milestones", "tasks", "checks"):
        if name in data:
            head = json.dumps({key: value for key, value in data.items() if key != name}, ensure_ascii=False)
            parts = ",\n".join(written(part, indent + " ") for part in data[name])
            return f'{indent}{head[:-1]}, "{name}": [\n{parts}\n{indent}]}}'
    return indent + json.dumps(data, ensure_ascii=False)


def without_messages(value):
    """Return a record's data without the messages."""
    if isinstance(value, dict):
        return {name: without_messages(part) for name, part in value.items() if name != "message"}
    return [without_messages(part) for part in value] if isinstance(value, list) else value


def messages(data):
    """Return the messages of all checks."""
    return [check.get("message", "") for m in data["milestones"] for task in m["tasks"] for check in task["checks"]]


@pytest.mark.parametrize("name", CASES)
def test_a_submission_gives_its_record(name, tmp_path):
    """Every outcome, message, mistake, traceback and output of a case is what its golden record says."""
    data = plain(graded(name, tmp_path / "exercises"))
    path = GOLDEN / name / "record.json"
    if UPDATE:
        path.write_text(written(data) + "\n", encoding="utf-8")

    expected = json.loads(path.read_text(encoding="utf-8"))

    assert without_messages(data) == without_messages(expected)
    for message, wanted in zip(messages(data), messages(expected), strict=True):
        assert NUMBER.sub("#", message) == NUMBER.sub("#", wanted)
        for actual, number in zip(NUMBER.findall(message), NUMBER.findall(wanted), strict=True):
            # Processors differ in the last digit, and that of bfloat16 is nearly a hundredth.
            assert math.isclose(float(actual), float(number), rel_tol=0.01, abs_tol=1e-4)


def test_the_cases_show_every_outcome_of_a_student():
    """Among them the golden cases have every outcome that a submission can cause by itself."""
    seen = set()
    for name in CASES:
        for milestone in json.loads((GOLDEN / name / "record.json").read_text(encoding="utf-8"))["milestones"]:
            seen |= {check["outcome"] for task in milestone["tasks"] for check in task["checks"]}

    assert seen >= set(record.OUTCOMES) - {record.OUT_OF_MEMORY, record.GRADER_ERROR}
