"""A copy of the whole grader with a course of two small milestones: real processes and sandboxes, checks of a moment.

A class can so be graded again and again, and a suite mended in between, without any change to this repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import support
import warm

REPOSITORY = Path(__file__).resolve().parents[1]
SEED = "a-seed-that-nobody-knows"

SYLLABUS = """
[course]
name = "Small"
allowed_imports = ["torch", "numpy"]
max_source_bytes = 65536

[course.limits]
seconds = 60
memory_mb = 1024
processes = 64
file_mb = 64
output_kb = 1024
threads = 1

"""

ROOM_M00 = """
title = "Numbers"
summary = "Two functions."

[[task]]
id = "m00.1"
title = "Twice"
points = 2
implements = ["twice"]
hints = ["a", "b", "c"]

[[task]]
id = "m00.2"
title = "Half"
points = 4
implements = ["half"]
hints = ["a", "b", "c"]

"""

ROOM_M01 = """
title = "Words"
summary = "Made of the first."
needs = ["m00_warmup"]

[[task]]
id = "m01.1"
title = "Double word"
points = 4
implements = ["stutter"]
hints = ["a", "b", "c"]
"""

SUITE_M00 = '''
import pytest

from grader.judge import expect_equal


@pytest.mark.task("m00.1")
def test_twice(student):
    """Twice a number is the number added to itself."""
    expect_equal(student.twice(21), 42)


@pytest.mark.task("m00.2")
def test_half(student):
    """Half of a number, twice, is the number."""
    expect_equal(student.half(42), 21.0)
'''

SUITE_M01 = '''
import pytest

from grader.judge import expect_equal


@pytest.mark.task("m01.1")
def test_stutter(student):
    """A word stands twice."""
    expect_equal(student.stutter("ab"), "abab")
'''

STUBS = {
    "m00_warmup": 'def twice(x):\n    raise NotImplementedError("m00.1")\n\n\n'
    'def half(x):\n    raise NotImplementedError("m00.2")\n',
    "m01_tokenizer": 'from .m00_warmup import twice\n\n\ndef stutter(word):\n    raise NotImplementedError("m01.1")\n',
}
TWICE = "def twice(x):\n    return x + x\n\n\n"
SOLUTIONS = {
    "m00_warmup": TWICE + "def half(x):\n    return x / 2\n",
    "m01_tokenizer": "from .m00_warmup import twice\n\n\ndef stutter(word):\n    return twice(word)\n",
}
WHOLE_HALF = {**SOLUTIONS, "m00_warmup": TWICE + "def half(x):\n    return x // 2\n"}  # an int where a float is due
HALF_DONE = {**STUBS, "m00_warmup": TWICE + 'def half(x):\n    raise NotImplementedError("m00.2")\n'}
SLOW = {**SOLUTIONS, "m00_warmup": "import time\n\n\n" + TWICE + "def half(x):\n    time.sleep(2)\n    return x / 2\n"}


class SmallCourse:
    """The copy, and a class's submissions beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.submissions = folder / "handed-in"
        self.book = folder / "marks.sqlite"
        for name in ("grader", "fixtures"):
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        suites = folder / "grader" / "suites"
        for path in suites.glob("m[0-9][0-9]_*"):
            shutil.rmtree(path)
        (folder / "grader" / "syllabus.toml").write_text(SYLLABUS, encoding="utf-8")
        for milestone, room, suite in (("m00_warmup", ROOM_M00, SUITE_M00), ("m01_tokenizer", ROOM_M01, SUITE_M01)):
            _write(suites / milestone, {"__init__": ""})
            (suites / milestone / "milestone.toml").write_text(room, encoding="utf-8")
            self.suite(milestone, suite)
        _write(folder / "exercises", STUBS)
        _write(folder / "solutions", SOLUTIONS)

    def suite(self, milestone: str, text: str) -> None:
        """Write a milestone's suite."""
        (self.folder / "grader" / "suites" / milestone / "test_suite.py").write_text(text, encoding="utf-8")

    def hand_in(self, student: str, modules: dict[str, str]) -> None:
        """Put a student's modules where the class's submissions are."""
        _write(self.submissions / student, modules)

    def environment(self, official: bool = False) -> dict[str, str]:
        """Return the environment of a command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SCRATCHWORK")}
        kept |= {"COLUMNS": "100", "OMP_NUM_THREADS": "1"}
        return kept | ({"SCRATCHWORK_SECRET_SEED": SEED} if official else {})

    def command(self, *arguments: str) -> list[str]:
        """Return the command that grades the class into the book."""
        return ["grader", "classroom", str(self.submissions), "--gradebook", str(self.book), *arguments]

    def grade(self, *arguments: str, official: bool = False) -> subprocess.CompletedProcess[str]:
        """Grade the class, and wait until it is done."""
        return self.run(*self.command(*arguments), official=official)

    def run(
        self, *arguments: object, official: bool = False, own_sandbox: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the copy to its end, in the tests' sandbox unless it shall start its own."""
        sandbox = None if own_sandbox else support.sandbox()
        return warm.run(*arguments, cwd=self.folder, env=self.environment(official) | environment, sandbox=sandbox)

    def start(self, *arguments: str) -> Begun:
        """Start to grade the class, in a sandbox of its own."""
        return Begun(self.command(*arguments), self.folder, self.environment())


class Begun:
    """A command that runs; both of its streams go to one file."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 closed when it is read
        with open(os.devnull, "rb") as nothing:
            streams = [nothing, self._said, self._said]
            self._process = warm.start(*command, streams=streams, cwd=folder, env=environment)
        self.pid = self._process.pid

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def ended(self, timeout: float = 240) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said."""
        code = self._process.wait(timeout)
        with self._said:
            self._said.seek(0)
            return code, self._said.read().decode("utf-8")


def _write(folder: Path, modules: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
