"""A class over the twelve milestones, on one worker and on two; beside a fresh pytest each; memory; nothing changed.

The class has solutions, half-finished submissions and hostile ones. `benchmarks.other_graders` measures otter-grader
and nbgrader.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from grader import syllabus

REPOSITORY = Path(__file__).resolve().parents[1]
COPIES = int(os.environ.get("SCRATCHWORK_BENCH_COPIES", "1"))  # of each of the four kinds
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
    class_ = folder / "class"
    count = _make_class(class_)
    rates = {}
    for workers in (1, 2):
        book = folder / f"workers-{workers}.sqlite"
        seconds, _ = _classroom(class_, book, "--workers", str(workers))
        rates[workers] = 60 * count / seconds
        yield (
            f"{count} submissions, twelve milestones each, {workers} worker(s)",
            (f"{seconds:.1f} s, {rates[workers]:.2f} submissions a minute"),
        )
        if workers == 1:
            rest, graded, checks = seconds, *_work(book)
            yield "  the checks' own work, isolation included", f"{graded:.1f} s in {checks} checks"
            yield (
                "  added for each submission beyond the checks (at most 0.3 s + 30 ms a check)",
                (f"{(rest - graded) / count:.2f} s ({(rest - graded) / checks * 1e3:.1f} ms a check)"),
            )
    yield "2 workers against 1 (at least 1.8)", f"{rates[2] / rates[1]:.2f}"
    again, _ = _classroom(class_, folder / "workers-1.sqlite")
    yield "the same class again, nothing changed", f"{again:.1f} s"


def _make_class(class_: Path) -> int:
    """Make a class: solutions, stubs, half of each, and hostile ones; return how many."""
    course = syllabus.load()
    names = [milestone.id for milestone in course.milestones]
    solutions, stubs = ({name: _source(folder, name) for name in names} for folder in ("solutions", "exercises"))
    half = {name: (solutions if number < len(names) // 2 else stubs)[name] for number, name in enumerate(names)}
    kinds = {"solution": solutions, "stub": stubs, "half": half, "hostile": stubs | HOSTILE}
    total = 0
    for kind, sources in kinds.items():
        for copy in range(COPIES):
            total += 1
            target = class_ / f"{kind}{copy}"
            target.mkdir(parents=True)
            for name, text in sources.items():
                # A comment of its own: otherwise copies would share what a stub is known by.
                (target / f"{name}.py").write_text(f"{text}\n# {kind} {copy}\n", encoding="utf-8")
    return total


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
    files = [f"grader/suites/test_{name}.py" for name in FRESH]
    start = time.perf_counter()
    for target in submissions:
        command = [sys.executable, "-m", "pytest", "-q", *files, "--submission", str(target)]
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    each = (time.perf_counter() - start) / len(submissions)
    seconds, _ = _classroom(folder / "fresh", folder / "fresh.sqlite", *(f"--milestone={name}" for name in FRESH))
    yield f"{' and '.join(name[:3] for name in FRESH)}: a fresh pytest for each submission", f"{each:.2f} s each"
    yield "  the class command, its start included", f"{seconds / len(submissions):.2f} s each"


def _many(folder: Path) -> Iterator[tuple[str, str]]:
    """Grade many submissions, each another one, watching the memory; and run again over many with nothing changed."""
    sys.path.insert(0, str(REPOSITORY / "tests"))
    from small_course import SOLUTIONS, SmallCourse

    small = SmallCourse(folder / "small")
    for number in range(MANY):
        small.hand_in(f"s{number:04}", {name: f"{text}\n# {number}\n" for name, text in SOLUTIONS.items()})
    seconds, memory = _classroom(small.submissions, small.book, root=small.folder)
    tenth = max(1, len(memory) // 10)
    early, late = statistics.median(memory[tenth : 2 * tenth]), statistics.median(memory[-tenth:])
    yield f"{MANY} submissions of two small milestones", f"{seconds:.0f} s, {60 * MANY / seconds:.0f} a minute"
    yield "  memory of the judge, in the second tenth and in the last", f"{early:.0f} MB, {late:.0f} MB"
    class_, book = folder / "many", folder / "many.sqlite"
    for number in range(MANY):
        shutil.copytree(REPOSITORY / "exercises", class_ / f"s{number:04}", ignore=shutil.ignore_patterns("*.md", "_*"))
    first, _ = _classroom(class_, book)
    again, _ = _classroom(class_, book)
    yield f"{MANY} submissions of the course, untouched", f"{first:.1f} s"
    yield f"{MANY} unchanged submissions again, all milestones (under 10 s)", f"{again:.1f} s"


def _classroom(class_: Path, book: Path, *arguments: str, root: Path = REPOSITORY) -> tuple[float, list[float]]:
    """Grade a class; return the seconds, and the memory of the process that grades, in MB, as time went on."""
    command = [sys.executable, "-m", "grader", "classroom", str(class_), "--gradebook", str(book), *arguments]
    memory = []
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=root, stdout=said, stderr=said)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                memory.append(watched.memory_info().rss / 2**20)
            except psutil.Error:
                break
            time.sleep(0.1)
        process.wait()
        seconds = time.perf_counter() - start
        if process.returncode not in (0, 1):
            said.seek(0)
            raise SystemExit(said.read().decode("utf-8", "replace")[-2000:])
    return seconds, memory


def _work(book: Path) -> tuple[float, int]:
    """Return the seconds that the checks in a gradebook took, and how many they are."""
    connection = sqlite3.connect(book)
    checks = [
        check["seconds"]
        for (text,) in connection.execute("SELECT record FROM result")
        for task in json.loads(text)["tasks"]
        for check in task["checks"]
    ]
    connection.close()
    return sum(checks), len(checks)


def _source(folder: str, milestone: str) -> str:
    return (REPOSITORY / folder / f"{milestone}.py").read_text(encoding="utf-8")
