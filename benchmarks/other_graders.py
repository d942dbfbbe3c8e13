"""One function, graded by otter-grader, by nbgrader, and by the class command: seconds for each submission.

The two are no dependencies. Install each into an environment of its own, with ipykernel, and let the environment know
its kernel (python -m ipykernel install --sys-prefix); name their Pythons: SCRATCHWORK_OTTER and SCRATCHWORK_NBGRADER.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
COPIES = 4
ANSWER = "def twice(x):\n    return x + x\n\n\ndef half(x):\n    return x / 2\n"
OTTER, NBGRADER = "SCRATCHWORK_OTTER", "SCRATCHWORK_NBGRADER"


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    with tempfile.TemporaryDirectory() as name:
        for label, measure, variable in (
            ("the class command, its start included", _ours, None),
            ("otter run", _otter, OTTER),
            ("nbgrader autograde", _nbgrader, NBGRADER),
        ):
            python = os.environ.get(variable) if variable else sys.executable
            if python is None:
                yield f"one function, {label}", f"not measured: {variable} names no Python"
                continue
            folder = Path(name) / label.split()[0]
            folder.mkdir()
            seconds = measure(folder, Path(python))
            yield f"one function, {label}, {COPIES} submissions", f"{seconds / COPIES:.2f} s each"


def _ours(folder: Path, python: Path) -> float:
    sys.path.insert(0, str(REPOSITORY / "tests"))
    from small_course import SOLUTIONS, SmallCourse

    course = SmallCourse(folder / "course")
    for copy in range(COPIES):
        course.hand_in(f"s{copy}", {**SOLUTIONS, "m00_warmup": f"{ANSWER}\n# {copy}\n"})
    course.grade("--milestone", "m01")  # what is compiled once
    start = time.perf_counter()
    done = course.grade("--milestone", "m00")
    if done.returncode or f"{COPIES} milestones graded" not in done.stdout:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start


def _otter(folder: Path, python: Path) -> float:
    (folder / "tests").mkdir()
    cases = [">>> twice(21)\n42", ">>> half(42)\n21.0"]
    suite = {
        "scored": True, "setup": "", "teardown": "", "type": "doctest",
        "cases": [{"code": case, "hidden": False, "locked": False} for case in cases],
    }  # fmt: skip
    text = f"OK_FORMAT = True\ntest = {{'name': 'q1', 'points': 2, 'suites': [{suite!r}]}}\n"
    (folder / "tests" / "q1.py").write_text(text)
    _call([python, "-m", "otter", "generate", "-t", "tests", "-o", "autograder.zip"], folder)
    for copy in range(COPIES):
        (folder / f"s{copy}.ipynb").write_text(json.dumps(_notebook(_cell(ANSWER, f"c{copy}"))))
        (folder / f"out{copy}").mkdir()
    start = time.perf_counter()
    for copy in range(COPIES):
        _call([python, "-m", "otter", "run", "-a", "autograder.zip", "-o", f"out{copy}", f"s{copy}.ipynb"], folder)
        results = json.loads((folder / f"out{copy}" / "results.json").read_text())
        if sum(test.get("score", 0) for test in results["tests"]) != 2:
            raise SystemExit(f"otter: {results}")
    return time.perf_counter() - start


def _nbgrader(folder: Path, python: Path) -> float:
    def cells(answer: str) -> list[dict[str, Any]]:
        solution = {"grade": False, "solution": True, "locked": False, "grade_id": "answer"}
        test = {"grade": True, "solution": False, "locked": True, "grade_id": "test", "points": 2}
        return [
            _cell(answer, "answer", nbgrader=solution | {"schema_version": 3, "task": False}),
            _cell(
                "assert twice(21) == 42\nassert half(42) == 21.0", "test",
                nbgrader=test | {"schema_version": 3, "task": False},
            ),
        ]  # fmt: skip

    source = folder / "source" / "ps1"
    source.mkdir(parents=True)
    (source / "p.ipynb").write_text(json.dumps(_notebook(*cells(f"### BEGIN SOLUTION\n{ANSWER}### END SOLUTION"))))
    _call([python, "-m", "nbgrader", "generate_assignment", "ps1"], folder)
    for copy in range(COPIES):
        target = folder / "submitted" / f"s{copy}" / "ps1"
        target.mkdir(parents=True)
        (target / "p.ipynb").write_text(json.dumps(_notebook(*cells(ANSWER))))
    start = time.perf_counter()
    _call([python, "-m", "nbgrader", "autograde", "ps1"], folder)
    seconds = time.perf_counter() - start
    _call([python, "-m", "nbgrader", "export"], folder)
    grades = (folder / "grades.csv").read_text().splitlines()[1:]
    if len(grades) != COPIES or not all(",2.0,2.0" in line or ",2.0," in line for line in grades):
        raise SystemExit(f"nbgrader: {grades}")
    return seconds


def _call(command: list[Any], folder: Path) -> None:
    environment = os.environ | {
        "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
    }
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": list(cells), "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4, "nbformat_minor": 5,
    }  # fmt: skip


def _cell(source: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code", "execution_count": None, "id": name, "metadata": metadata, "outputs": [], "source": source,
    }  # fmt: skip
