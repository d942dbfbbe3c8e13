"""What can be measured of a build; each part is one function, which takes one build's turn and returns its figures."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.memory import below

from .build import BenchmarkError, Build

LOOK_EVERY = 0.2  # seconds between two looks at the memory
CLASS = {"solution": 1, "half": 1, "stub": 2}  # how many of each kind are in the small class
WHOLE_CLASS = {"solution": 6, "half": 6, "stub": 12}
TESTS = ("-m", "pytest", "-q", "-n", "logical", "--dist", "loadfile", "--no-loadscope-reorder")  # as `nox -s tests`


@dataclass
class Turn:
    """What one build's turn came to: figures to show, and many of one kind of which only those that grew are shown."""

    figures: dict[str, float]  # by what they are, unit included
    single: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One part: what it is called, and how a turn is taken over some milestones."""

    name: str
    about: str
    turn: Callable[[Build, list[str]], Turn]
    for_one: bool = True  # whether `-m04` may be added to its name
    alone: str = ""  # the milestone that it is about where none is named
    warm: bool = True  # whether both builds take one more turn before, which is not counted
    on_request: bool = False


def course(build: Build, milestones: list[str]) -> Turn:
    """Grade the solutions as a student would, from the command's start to its end."""
    return Turn({"the command from start to end, s": build.grader(*_grade(milestones))})


def again(build: Build, milestones: list[str]) -> Turn:
    """Grade the solutions once more, as an evening goes: what the run before keeps loaded is there, if a build does."""
    arguments = _grade(milestones)
    with build.keeping_warm():
        build.grader(*arguments)
        build.wait_until_warm()
        return Turn({"the command from start to end, s": build.grader(*arguments)})


def stubs(build: Build, milestones: list[str]) -> Turn:
    """Grade the untouched stubs, which must be over soon."""
    return Turn({"the command from start to end, s": build.grader(*_grade(milestones, "exercises"), codes=(1,))})


def first_result(build: Build, milestones: list[str]) -> Turn:
    """See how long a student waits for the first result on the screen."""
    label = f"{milestones[0][:3]}."
    start = time.perf_counter()
    with build.started(
        "-m", "grader", *_grade(milestones), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        first = [time.perf_counter() - start for line in process.stdout if line.startswith(label.encode())]
    if not first:
        raise BenchmarkError(f"{build.name}: no line of the output begins with {label}, so there is no first result.")
    return Turn({"until the first result is on the screen, s": first[0]})


def checks(build: Build, milestones: list[str]) -> Turn:
    """Grade with one judge, and once more without a sandbox; what the former takes longer is what isolation costs."""
    whole, own = (_seconds(build, milestones, *how) for how in (("--judges", "1"), ("--debug",)))
    added = [seconds - own[name] for name, seconds in whole.items() if name in own]
    figures = {
        "a check's seconds, sum, s": sum(whole.values()),
        "a check's seconds, median, ms": statistics.median(whole.values()) * 1e3,
        "beyond the check's own work, sum, s": sum(added),
        "beyond the check's own work, median, ms": statistics.median(added) * 1e3,
    }
    return Turn(figures, {f"{name}, ms": seconds * 1e3 for name, seconds in whole.items()})


def memory(build: Build, milestones: list[str]) -> Turn:
    """Grade with one judge and look at the memory of all its processes, five times a second."""
    highest = 0
    arguments = _grade(milestones, more=("--judges", "1"))
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with build.started("-m", "grader", *arguments, **silent) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            highest = max(highest, below(watched))
            time.sleep(LOOK_EVERY)
    return Turn({"one judge with its sandbox, peak (PSS), MB": highest / 2**20})


def classroom(build: Build, milestones: list[str], kinds: dict[str, int] = CLASS) -> Turn:
    """Grade a small class into a new gradebook."""
    count = sum(kinds.values())
    folder, book = build.scratch / f"class-of-{count}", build.scratch / "gradebook.sqlite"
    if not folder.is_dir():
        _make_class(build, folder, milestones, kinds)
    for old in build.scratch.glob("gradebook.sqlite*"):
        old.unlink()
    chosen = [f"--milestone={name}" for name in milestones]
    seconds = build.grader("classroom", str(folder), "--gradebook", str(book), *chosen, codes=(0, 1))
    return Turn({f"{count} submissions, s": seconds, "submissions a minute": 60 * count / seconds})


def whole_class(build: Build, milestones: list[str]) -> Turn:
    """Grade two dozen submissions into a new gradebook."""
    return classroom(build, milestones, WHOLE_CLASS)


def tests(build: Build, milestones: list[str]) -> Turn:
    """Run the build's own tests."""
    return Turn({"all tests of the build, s": build.run(*TESTS)})


PARTS = (
    Part("grade", "the whole course of solutions, wall", course),
    Part("again", "the same once more, with what the run before keeps loaded", again, warm=False),
    Part("stubs", "the untouched stubs, wall", stubs),
    Part("first-result", "from the command to the first result", first_result, alone="m04"),
    Part("checks", "what each check costs", checks),
    Part("memory", "peak of one judge with its sandbox", memory),
    Part("classroom", "a small class", classroom),
    Part("whole-class", "a class of two dozen; only on request", whole_class, on_request=True),
    Part("tests", "the tests of each build; only on request", tests, for_one=False, warm=False, on_request=True),
)


def _grade(milestones: Iterable[str], folder: str = "solutions", more: tuple[str, ...] = ()) -> list[str]:
    return ["grade", *milestones, "--submission", folder, "--all", *more]


def _seconds(build: Build, milestones: list[str], *how: str) -> dict[str, float]:
    """Grade the solutions and return the seconds of each check by its milestone and id."""
    record = build.scratch / "record.json"
    build.grader(*_grade(milestones, more=(*how, "--json", str(record))))
    return {
        f"{milestone['id'][:3]} {check['id']}": float(check["seconds"])
        for milestone, check in _checks(json.loads(record.read_text(encoding="utf-8")))
    }


def _checks(record: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return [
        (milestone, check)
        for milestone in record["milestones"]
        for task in milestone["tasks"]
        for check in task["checks"]
    ]


def _make_class(build: Build, folder: Path, names: list[str], kinds: dict[str, int]) -> None:
    """Make a class of solutions, stubs and halves, each with a comment of its own: no two are the same."""
    for kind, count in kinds.items():
        right = {"solution": len(names), "half": len(names) // 2, "stub": 0}[kind]
        for copy in range(count):
            target = folder / f"{kind}{copy}"
            target.mkdir(parents=True)
            for number, name in enumerate(names):
                text = build.source("solutions" if number < right else "exercises", name)
                (target / f"{name}.py").write_text(f"{text}\n# {kind} {copy}\n", encoding="utf-8")
