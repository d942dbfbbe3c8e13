"""A class over the twelve milestones, on one worker and on two; beside a fresh pytest each; memory; nothing changed.

The class has solutions, half-finished submissions and hostile ones. `benchmarks.other_graders` measures otter-grader
and nbgrader.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch

from grader import syllabus
from grader.judge.grading import grade
from grader.judge.oracles import Weights
from grader.judge.planned import Options
from grader.sandbox import levels
from grader.submission import collect

from .memory import below as memory_below

REPOSITORY = Path(__file__).resolve().parents[1]
COPIES = int(os.environ.get("SCRATCHWORK_BENCH_COPIES", "2"))  # of each of the four kinds
ROUNDS = int(os.environ.get("SCRATCHWORK_BENCH_ROUNDS", "3"))  # in each, one worker and then two grade the class
PARTS = os.environ.get("SCRATCHWORK_BENCH_PARTS", "fresh,workers,many")
MANY = int(os.environ.get("SCRATCHWORK_BENCH_MANY", "500"))
FRESH = ("m00_warmup", "m03_embedding")  # milestones of the comparison with a fresh pytest
HOSTILE = {
    "m00_warmup": "import os\nprint('x' * 10**6)\nos._exit(0)\n",
    "m01_tokenizer": "while True:\n    pass\n",
    "m02_data": "import os\nwhile True:\n    os.fork()\n",
}


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS.split(","):
            yield from {"fresh": _fresh, "many": _many, "workers": _one_and_two}[part](folder)


def _one_and_two(folder: Path) -> Iterator[tuple[str, str]]:
    whole, honest = folder / "whole", folder / "honest"
    _make_class(whole, ("solution", "stub", "half", "hostile"))
    _make_class(honest, ("solution", "stub", "half"))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(ROUNDS):
        for workers, taken in seconds.items():
            taken.append(_classroom(whole, folder / f"whole-{workers}-{turn}.sqlite", "--workers", str(workers)))
    count = 4 * COPIES
    for workers, taken in seconds.items():
        median = statistics.median(taken)
        yield (
            f"{count} submissions, twelve milestones each, {workers} worker(s), median of {ROUNDS}",
            f"{median:.1f} s, {60 * count / median:.2f} submissions a minute",
        )
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    yield f"  2 workers against 1 (at least 1.8), median of {each}", f"{statistics.median(ratios):.2f}"
    book = folder / "honest.sqlite"
    graded = _classroom(honest, book)
    own, checks = _own_work(honest)
    added, count = graded - own, 3 * COPIES
    yield "the honest ones' own work: the same checks inline, without any isolation", f"{own:.1f} s in {checks} checks"
    yield (
        f"  added for each submission, start and isolation included (at most {0.3 + 0.03 * checks / count:.1f} s here)",
        f"{added / count:.2f} s ({added / checks * 1e3:.1f} ms a check)",
    )
    again = _classroom(honest, book)
    yield "the same class again, nothing changed", f"{again:.1f} s"


def _own_work(class_: Path) -> tuple[float, int]:
    """Grade a class inline, in this process and with one torch thread; return the seconds, and how many checks ran."""
    torch.set_num_threads(1)
    course, weights = syllabus.load(), Weights("gpt2-nano")
    names = [milestone.id for milestone in course.milestones]
    workers = levels.workers("inline", "cpu", capture_inline=True)
    grade(Options(names), course, collect(REPOSITORY / "solutions", course), workers, weights)  # what is loaded once
    total, checks = 0.0, 0
    for folder in sorted(class_.iterdir()):
        submission = collect(folder, course)
        start = time.perf_counter()
        result = grade(Options(names), course, submission, workers, weights)
        total += time.perf_counter() - start
        checks += sum(len(task.checks) for milestone in result.milestones for task in milestone.tasks)
    return total, checks


def _make_class(class_: Path, chosen: tuple[str, ...]) -> None:
    """Make a class of solutions, stubs, half of each, or hostile ones."""
    course = syllabus.load()
    names = [milestone.id for milestone in course.milestones]
    solutions, stubs = ({name: _source(folder, name) for name in names} for folder in ("solutions", "exercises"))
    half = {name: (solutions if number < len(names) // 2 else stubs)[name] for number, name in enumerate(names)}
    kinds = {"solution": solutions, "stub": stubs, "half": half, "hostile": stubs | HOSTILE}
    for kind in chosen:
        for copy in range(COPIES):
            target = class_ / f"{kind}{copy}"
            target.mkdir(parents=True)
            for name, text in kinds[kind].items():
                # A comment of its own: otherwise copies would share what a stub is known by.
                (target / f"{name}.py").write_text(f"{text}\n# {kind} {copy}\n", encoding="utf-8")


def _fresh(folder: Path) -> Iterator[tuple[str, str]]:
    """Compare with a process `pytest grader/suites --submission` for each submission, on two milestones."""
    submissions = []
    for copy in range(3):
        target = folder / "fresh" / f"s{copy}"
        target.mkdir(parents=True)
        for name in [milestone.id for milestone in syllabus.load().milestones]:
            shutil.copy(REPOSITORY / ("solutions" if name in FRESH else "exercises") / f"{name}.py", target)
        (target / "m00_warmup.py").write_text(f"{_source('solutions', 'm00_warmup')}\n# {copy}\n", encoding="utf-8")
        (target / "m03_embedding.py").write_text(
            f"{_source('solutions', 'm03_embedding')}\n# {copy}\n", encoding="utf-8"
        )
        submissions.append(target)
    files = [f"grader/suites/{name}" for name in FRESH]
    start = time.perf_counter()
    for target in submissions:
        command = [sys.executable, "-m", "pytest", "-q", *files, "--submission", str(target)]
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    each = (time.perf_counter() - start) / len(submissions)
    seconds = _classroom(folder / "fresh", folder / "fresh.sqlite", *(f"--milestone={name}" for name in FRESH))
    yield f"{' and '.join(name[:3] for name in FRESH)}: a fresh pytest for each submission", f"{each:.2f} s each"
    yield "  the class command, its start included", f"{seconds / len(submissions):.2f} s each"


def _many(folder: Path) -> Iterator[tuple[str, str]]:
    """Grade many submissions, each another one, watching the memory; and run again over many with nothing changed."""
    sys.path.insert(0, str(REPOSITORY / "tests"))
    from small_course import SOLUTIONS, SmallCourse

    small = SmallCourse(folder / "small")
    for number in range(MANY):
        small.hand_in(f"s{number:04}", {name: f"{text}\n# {number}\n" for name, text in SOLUTIONS.items()})
    memory: list[float] = []
    seconds = _classroom(small.submissions, small.book, root=small.folder, memory=memory)
    tenth = max(1, len(memory) // 10)
    # The highest: processes that end while they are added up take their share of the others' memory out of the sum.
    early, late = max(memory[tenth : 2 * tenth]), max(memory[-tenth:])
    yield f"{MANY} submissions of two small milestones", f"{seconds:.0f} s, {60 * MANY / seconds:.0f} a minute"
    yield "  highest memory of judge and sandbox, in the second tenth and in the last", f"{early:.0f} MB, {late:.0f} MB"
    class_, book = folder / "many", folder / "many.sqlite"
    for number in range(MANY):
        shutil.copytree(REPOSITORY / "exercises", class_ / f"s{number:04}", ignore=shutil.ignore_patterns("*.md", "_*"))
    first = _classroom(class_, book)
    again = _classroom(class_, book)
    yield f"{MANY} submissions of the course, untouched", f"{first:.1f} s"
    yield f"{MANY} unchanged submissions again, all milestones (under 10 s)", f"{again:.1f} s"


def _classroom(
    class_: Path, book: Path, *arguments: str, root: Path = REPOSITORY, memory: list[float] | None = None
) -> float:
    """Grade a class; return the seconds. `memory` is given that of judge and sandbox, in MB, as time goes on.

    To look at memory takes time from whoever has it: where seconds are compared, nobody looks.
    """
    command = [sys.executable, "-m", "grader", "classroom", str(class_), "--gradebook", str(book), *arguments]
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=root, stdout=said, stderr=said)
        watched = psutil.Process(process.pid)
        while memory is not None and process.poll() is None:
            memory.append(memory_below(watched) / 2**20)
            time.sleep(0.5)
        process.wait()
        seconds = time.perf_counter() - start
        if process.returncode not in (0, 1):
            said.seek(0)
            raise SystemExit(said.read().decode("utf-8", "replace")[-2000:])
    return seconds


def _source(folder: str, milestone: str) -> str:
    return (REPOSITORY / folder / f"{milestone}.py").read_text(encoding="utf-8")
