"""A milestone that a course brings, made of m00: a room as an instructor writes one, and the course's file."""

from __future__ import annotations

from pathlib import Path

NAME = "x01_mine"
COURSE = """
[course]
name = "Mine"
time_zone = "UTC"
milestones = ["m00", "./rooms/x01_mine"]

[late]
per_day = 0.5

[[milestone]]
id = "x01"
points = 10
due = 2030-01-01T12:00:00
"""
ENTRY = """
title = "Ladders"
summary = "Steps up | down a ladder."
needs = ["m00_warmup"]
shortcuts = ["torch.cumsum"]

[[task]]
id = "x01.1"
title = "One step"
points = 2
implements = ["step"]
hints = ["Which number comes next?", "Count on.", "Add one."]

[[task]]
id = "x01.2"
title = "The way up"
points = 3
implements = ["climb"]
rests_on = ["x01.1"]
hints = ["What is a climb made of?", "Of steps.", "Collect the steps."]
"""
SUITE = '''
"""x01_mine: steps and climbs."""

import pytest

from grader.judge import expect_equal

from . import oracle


@pytest.mark.task("x01.1")
def test_a_step(student):
    """A step leads to the next number."""
    expect_equal(student.step(41), 42)


@pytest.mark.task("x01.2")
@pytest.mark.parametrize("height", oracle.heights())
def test_a_climb(student, height):
    """A climb holds every number on the way."""
    expect_equal(student.climb(height), oracle.climb(height), misses={"the last step is missing": oracle.short(height)})
'''
ORACLE = '''
"""What x01_mine is compared with."""

import json
from pathlib import Path


def heights():
    """Return how far the checks climb."""
    return json.loads(Path(__file__).with_name("heights.json").read_text(encoding="utf-8"))


def climb(height):
    """Return every number on the way."""
    return [*range(height + 1)]


def short(height):
    """Return a climb that ends too early."""
    return [*range(height)]
'''
STUB = '''"""x01_mine: ladders."""

from . import m00_warmup


def step(number: int) -> int:
    """Return the next number. Example: 1 -> 2."""
    # TODO(x01.1): count on.
    raise NotImplementedError("x01.1")


def climb(height: int) -> list[int]:
    """Return every number on the way up. Example: 2 -> [0, 1, 2]."""
    # TODO(x01.2): collect the steps.
    raise NotImplementedError("x01.2")
'''
SOLUTION = '''"""x01_mine: ladders."""

from . import m00_warmup


def step(number: int) -> int:
    """Return the next number. Example: 1 -> 2."""
    return number + 1


def climb(height: int) -> list[int]:
    """Return every number on the way up. Example: 2 -> [0, 1, 2]."""
    rungs, reached = [0], 0
    while reached < height:
        reached = step(reached)
        rungs.append(reached)
    return rungs
'''
SHORT = SOLUTION.replace("reached < height", "reached < height - 1")
HALF = STUB.replace('# TODO(x01.1): count on.\n    raise NotImplementedError("x01.1")', "return number + 1")


def write(folder: Path) -> Path:
    """Write the course's file and, in its folder `rooms`, the room; return the file."""
    room = folder / "rooms" / NAME
    room.mkdir(parents=True)
    for name, text in {
        "__init__.py": '"""The room of x01_mine."""\n', "milestone.toml": ENTRY, "test_ladders.py": SUITE,
        "oracle.py": ORACLE, "heights.json": "[1, 5]\n", "stub.py": STUB, "solution.py": SOLUTION,
        "guide.md": "# x01 Ladders\n\n## x01.1 One step\n\n## x01.2 The way up\n",
    }.items():  # fmt: skip
        (room / name).write_text(text, encoding="utf-8")
    (folder / "conftest.py").write_text("raise RuntimeError('not the grader\\'s')\n", encoding="utf-8")
    (folder / "mine.toml").write_text(COURSE, encoding="utf-8")
    return folder / "mine.toml"
