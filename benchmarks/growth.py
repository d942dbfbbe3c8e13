"""How a class's costs grow: 500 to 5,000 submissions whose results are known, taken in, kept, exported and shown.

All submissions are untouched stubs: one of each milestone is graded, and the others take its result over. So this
measures what the coordinator does for each submission, and nothing of the sandbox.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
SIZES = [int(word) for word in os.environ.get("SCRATCHWORK_BENCH_SIZES", "500 1000 2000 5000").split()]
FORMATS = ("moodle", "tasks", "json", "html")
LOOK_EVERY = 0.2


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    with tempfile.TemporaryDirectory() as name:
        class_, book = Path(name) / "class", Path(name) / "book.sqlite"
        handed_in = 0
        for size in SIZES:
            for number in range(handed_in, size):
                # Links: what is measured is not the disk.
                shutil.copytree(
                    REPOSITORY / "exercises", class_ / f"s{number:05}", copy_function=os.link,
                    ignore=shutil.ignore_patterns("*.md", "_*", "pictures"),
                )  # fmt: skip
            added, handed_in = size - handed_in, size
            seconds, peak = command("classroom", str(class_), "--gradebook", str(book))
            yield f"{size:,} submissions, {added:,} of them new: taken in and entered", f"{seconds:.1f} s"
            yield "  the coordinator's memory at its highest", f"{peak:.0f} MB"
            again, _ = command("classroom", str(class_), "--gradebook", str(book))
            yield "  the same again, nothing new", f"{again:.1f} s"
            for kind in FORMATS:
                out = book.with_suffix(f".{kind}")
                seconds, peak = command("export", str(book), "--format", kind, "--out", str(out))
                size_mb = out.stat().st_size / 2**20
                yield f"  export as {kind}", f"{seconds:.1f} s, {peak:.0f} MB, a file of {size_mb:.1f} MB"


def command(*words: str) -> tuple[float, float]:
    """Run a command of the grader; return its seconds, and its own process's highest memory in MB."""
    start, highest = time.perf_counter(), 0
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", "grader", *words], cwd=REPOSITORY, stdout=said, stderr=said)
        ended, watched = threading.Event(), psutil.Process(process.pid)

        def look() -> None:
            nonlocal highest
            while not ended.wait(LOOK_EVERY):
                try:
                    highest = max(highest, watched.memory_info().rss)
                except psutil.Error:
                    return

        watching = threading.Thread(target=look)
        watching.start()
        code = process.wait()
        ended.set()
        watching.join()
        if code not in (0, 1):
            said.seek(0)
            raise SystemExit(said.read().decode("utf-8", "replace")[-2000:])
    return time.perf_counter() - start, highest / 2**20
